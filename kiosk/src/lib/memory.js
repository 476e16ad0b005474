/** Stores resume tokens in this tab, so that a session survives a reload of the page. */

const PREFIX = "lunapass:";

/**
 * @param {string} [id] session to resume
 * @param {string} [token] its token, if the page knows it
 * @returns {import("./link.js").Identity | null} null if the session cannot be resumed
 */
export function recall(id, token) {
  if (!id) return null;
  const known = token ?? storage()?.getItem(PREFIX + id);
  return known ? { id, token: known } : null;
}

/** @param {import("./link.js").Identity} identity */
export function remember({ id, token }) {
  try {
    storage()?.setItem(PREFIX + id, token);
  } catch {
    // the storage is full: the session continues, but cannot be resumed after a reload
  }
}

/** @param {string} id */
export function forget(id) {
  storage()?.removeItem(PREFIX + id);
}

/** Return the tab's storage; null if the browser forbids it. */
function storage() {
  try {
    return globalThis.sessionStorage;
  } catch {
    return null;
  }
}
