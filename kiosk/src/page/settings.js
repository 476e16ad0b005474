/** Settings in the page's address, such as `/?lang=es&mode=operator&restart=10`. */

/**
 * @typedef {object} Settings
 * @property {string | null} language
 * @property {"selfie" | "operator"} mode
 * @property {number | undefined} timeout maximum ms of one check
 * @property {number | undefined} patience maximum ms to connect or to resume
 * @property {number} adviceAfter ms of refused liveness before advice is shown; 0 for never
 * @property {number} restart seconds until the outcome returns to the start; 0 for never
 * @property {string | undefined} detector URL of the face detector's module
 */

/**
 * @param {string} query
 * @returns {Settings}
 */
export function readSettings(query) {
  const given = new URLSearchParams(query);
  const number = (/** @type {string} */ name) => Math.max(0, Number(given.get(name)) || 0);
  return {
    language: given.get("lang"),
    mode: given.get("mode") === "operator" ? "operator" : "selfie",
    timeout: number("timeout") * 1000 || undefined,
    patience: number("patience") * 1000 || undefined,
    adviceAfter: given.has("advice") ? number("advice") * 1000 : 6000,
    restart: number("restart"),
    detector: given.get("detector") === "1" ? "detector/detector.js" : undefined,
  };
}

/**
 * Return the service's address, relative to the page, which may be below a path of its site.
 *
 * @param {Pick<Location, "href">} location
 */
export function serviceAddress({ href }) {
  const address = new URL("ws", href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}
