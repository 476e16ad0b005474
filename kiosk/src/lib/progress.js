/** The progress of the active check, as the service reports it. */

import { isPrompt } from "./codes.js";

/**
 * @typedef {object} Progress
 * @property {number} done number of completed actions
 * @property {number} total number of requested actions; 0 if the service reports none
 * @property {number} left share of the current action's time that is left; 0 if there is none
 */

/** @type {Readonly<Progress>} */
export const NO_PROGRESS = Object.freeze({ done: 0, total: 0, left: 0 });

const MAX_ACTIONS = 12;

/**
 * Read the progress from a frame status: `action` is the number of the current action, from 1. After
 * the last action there are no more prompts.
 *
 * @param {import("./lunapass.js").FrameStatus} status
 * @returns {Readonly<Progress>}
 */
export function progressOf({ errors, details }) {
  const { action, actions, seconds, secondsLeft } = details?.activeLiveness ?? {};
  if (!Number.isInteger(action) || !Number.isInteger(actions)) return NO_PROGRESS;
  const total = Math.min(Math.max(actions, 0), MAX_ACTIONS);
  const isOver = action >= total && !errors.some(isPrompt);
  const done = Math.min(Math.max(isOver ? total : action - 1, 0), total);
  // In whole seconds: a ring that moves without end is hard to look at.
  const left = isOver || !(seconds > 0) ? 0 : Math.ceil(Number(secondsLeft) || 0) / seconds;
  return { done, total, left: Math.min(1, left) };
}
