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
 * @returns {Promise<Branding>} without any key if the file cannot be read: the page must work
 */
export async function loadBranding() {
  try {
    const branding = await loadJson("page.json");
    const unknown = Object.keys(branding).filter((key) => !KEYS.includes(key));
    if (unknown.length > 0) console.warn(`page.json: unknown: ${unknown}; known: ${KEYS}`);
    return branding;
  } catch (error) {
    console.warn("page.json:", error);
    return {};
  }
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
