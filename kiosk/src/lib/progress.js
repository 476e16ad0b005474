/** The progress of the active check, as far as the service tells it. */

/** @typedef {{done: number, total: number}} Progress */

const MOST = 12;

/**
 * @param {Record<string, any> | null | undefined} details of a frame status
 * @returns {Progress} total 0 where nothing is told
 */
export function progressOf(details) {
  const { action, actions } = details?.activeLiveness ?? {};
  const total = Number.isInteger(actions) && actions > 0 ? Math.min(actions, MOST) : 0;
  const done = Number.isInteger(action) ? Math.min(Math.max(action, 0), total) : 0;
  return { done, total };
}
