/** The progress of the active check, as the service reports it. */

import { isPrompt } from "./codes.js";

/** @typedef {{done: number, total: number}} Progress */

const MAX_ACTIONS = 12;

/**
 * Read the progress from a frame status: `action` is the number of the current action, from 1. After
 * the last action there are no more prompts.
 *
 * @param {import("./lunapass.js").FrameStatus} status
 * @returns {Progress} total 0 if the service reports none
 */
export function progressOf({ errors, details }) {
  const { action, actions } = details?.activeLiveness ?? {};
  if (!Number.isInteger(action) || !Number.isInteger(actions)) return { done: 0, total: 0 };
  const total = Math.min(Math.max(actions, 0), MAX_ACTIONS);
  const done = action >= total && !errors.some(isPrompt) ? total : action - 1;
  return { done: Math.min(Math.max(done, 0), total), total };
}
