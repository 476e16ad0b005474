/** Pauses and timeouts. */

import { LunaPassError } from "./errors.js";

/**
 * @param {number} ms
 * @returns {Promise<void>}
 */
export function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

/**
 * Await a promise with a timeout.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {number} ms
 * @param {string} what name of the awaited thing
 * @returns {Promise<T>}
 * @throws {LunaPassError} code `timeout`
 */
export function within(promise, ms, what) {
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const late = new Promise((_, reject) => {
    const error = new LunaPassError("timeout", `no ${what} within ${ms} ms`, what);
    timer = setTimeout(() => reject(error), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
