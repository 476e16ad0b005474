/** Resume tokens of this tab, so that a session outlives a reload of its page. */

const PREFIX = "lunapass:";

/**
 * @param {string} [id] session that the page asks for
 * @param {string} [token] its token, where the page knows it
 * @returns {import("./link.js").Identity | null} null where the session cannot be resumed
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
    // a full tab remembers nothing; its session goes on all the same
  }
}

/** @param {string} id */
export function forget(id) {
  storage()?.removeItem(PREFIX + id);
}

/** The tab's storage; browsers may forbid it. */
function storage() {
  try {
    return globalThis.sessionStorage;
  } catch {
    return null;
  }
}
