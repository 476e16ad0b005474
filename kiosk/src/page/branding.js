/** The operator's own configuration of the page, `page.json` beside it (docs/browser.md). */

import { loadJson } from "./json.js";

const KEYS = ["parameters", "colors", "logo", "font", "texts", "consent"];

/**
 * @typedef {object} Branding
 * @property {Record<string, string>} [parameters] those that the page's address lacks
 * @property {Partial<Record<"light" | "dark", Record<string, string>>>} [colors]
 * @property {{light?: string, dark?: string, alt?: string}} [logo] paths relative to the page
 * @property {{family: string, files: Record<string, string>}} [font] paths by weight
 * @property {import("./consent.js").ConsentText} [consent]
 * @property {Record<string, Record<string, unknown>>} [texts] by language, in the form of its file
 */

/**
 * Load the file. What the page cannot use is reported and left out: the page must work. The service
 * checks the file at its start, but another web server may serve the page.
 *
 * @returns {Promise<Branding>}
 */
export async function loadBranding() {
  try {
    return usable(await loadJson("page.json"));
  } catch (error) {
    console.warn("page.json:", error);
    return {};
  }
}

/**
 * @param {Record<string, unknown>} branding
 * @returns {Branding}
 */
function usable(branding) {
  const entries = Object.entries(branding).filter(([key, value]) => {
    const isUsable = KEYS.includes(key) && isObject(value);
    if (!isUsable) console.warn(`page.json: ${key}: allowed: objects named ${KEYS.join(", ")}`);
    return isUsable;
  });
  return Object.fromEntries(entries);
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Return texts with some replaced by the operator's own.
 *
 * @template {Record<string, any>} T
 * @param {T} texts
 * @param {Record<string, any>} own only names that `texts` has count
 * @returns {T}
 */
export function withOwn(texts, own) {
  const merged = Object.entries(texts).map(([name, text]) => {
    const mine = own[name] ?? text;
    return [name, typeof text === "object" ? withOwn(text, Object(mine)) : String(mine)];
  });
  return Object.fromEntries(merged);
}
