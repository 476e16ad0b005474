/** Finds out whether a service on another host accepts this page: a WebSocket does not say why it fails. */

import { LunaPassError } from "./errors.js";

const ANSWER_MS = 2000;
const FORBIDDEN = 403;

/**
 * Ask the service by HTTP. It lets every page read this one refusal; no other answer can be read, and
 * none says anything about the origin.
 *
 * @param {string} url address of the WebSocket
 * @throws {LunaPassError} code `page.origin`
 */
export async function checkOrigin(url) {
  const address = new URL(url);
  address.protocol = address.protocol === "wss:" ? "https:" : "http:";
  const page = globalThis.location?.origin;
  if (page === undefined || page === address.origin) return;
  const answer = await ask(address);
  if (answer?.status !== FORBIDDEN) return;
  throw new LunaPassError(
    "page.origin",
    `the service at ${address.host} does not accept pages of ${page}: ` +
      `add "${page}" to origins in its section [LUNA_PASS]`,
  );
}

/**
 * @param {URL} address
 * @returns {Promise<Response | null>} null if there is no answer that a page may read
 */
async function ask(address) {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    return await fetch(address, { cache: "no-store", credentials: "omit", signal });
  } catch {
    return null;
  }
}
