/**
 * Settings in the page's address, such as `/?lang=es&mode=operator&restart=10`; those that it lacks
 * are in `parameters` of page.json.
 */

const CONTROLS = ["language", "zoom"];
const KIOSK_RESTART = 10;
const KIOSK_IDLE = 60;
/** Longer times would overflow a browser's timer, which then ends at once. */
const MAX_SECONDS = 86_400;

/**
 * @typedef {object} Settings
 * @property {string | null} language
 * @property {"selfie" | "operator"} mode
 * @property {number | undefined} timeout maximum ms of one check
 * @property {number | undefined} patience maximum ms to connect or to resume
 * @property {number} adviceAfter ms of refused liveness before advice is shown; 0 for never
 * @property {number} restart seconds until the outcome returns to the start; 0 for never
 * @property {boolean} kiosk the page is on a screen that is always on
 * @property {string[]} controls which of `language` and `zoom` people may use in kiosk mode
 * @property {number} idle seconds until the start becomes the idle screen; 0 for never
 * @property {boolean} sound whether prompts that shut the eyes come with sound and vibration
 * @property {"light" | "dark" | null} theme null: the system's
 * @property {string | undefined} detector URL of the face detector's module
 */

/**
 * @param {string} query of the page's address
 * @param {Record<string, string>} [defaults] of page.json
 * @returns {Settings}
 */
export function readSettings(query, defaults = {}) {
  const given = new URLSearchParams(defaults);
  for (const [name, value] of new URLSearchParams(query)) given.set(name, value);
  const number = (/** @type {string} */ name, otherwise = 0) => {
    const value = given.has(name) ? Number(given.get(name)) || 0 : otherwise;
    return Math.min(Math.max(0, value), MAX_SECONDS);
  };
  const kiosk = given.get("kiosk") === "1";
  const theme = given.get("theme");
  const controls = (given.get("controls") ?? "").split(",");
  return {
    language: given.get("lang"),
    mode: given.get("mode") === "operator" ? "operator" : "selfie",
    timeout: number("timeout") * 1000 || undefined,
    patience: number("patience") * 1000 || undefined,
    adviceAfter: number("advice", 6) * 1000,
    restart: number("restart", kiosk ? KIOSK_RESTART : 0),
    kiosk,
    controls: controls.filter((control) => CONTROLS.includes(control)),
    idle: kiosk ? number("idle", KIOSK_IDLE) : 0,
    sound: given.get("sound") !== "0",
    theme: theme === "light" || theme === "dark" ? theme : null,
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
