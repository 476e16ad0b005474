/** The progress of the active check, as far as the service tells it. */

import { isPrompt } from "./codes.js";

/** @typedef {{done: number, total: number}} Progress */

const MOST = 12;

/**
 * Read the progress out of a frame status: `action` is the number of the action under way, from 1.
 * Once the last one is done no prompt comes any more.
 *
 * @param {import("./lunapass.js").FrameStatus} status
 * @returns {Progress} total 0 where nothing is told
 */
export function progressOf({ errors, details }) {
  const { action, actions } = details?.activeLiveness ?? {};
  if (!Number.isInteger(action) || !Number.isInteger(actions)) return { done: 0, total: 0 };
  const total = Math.min(Math.max(actions, 0), MOST);
  const done = action >= total && !errors.some(isPrompt) ? total : action - 1;
  return { done: Math.min(Math.max(done, 0), total), total };
}
