/** The page's words in the person's language. */

import english from "./texts/en.json";

/** @typedef {typeof english} Texts */

const KEPT = "lunapass.language";
const PATIENCE_MS = 5000;

/**
 * The language to begin with: asked in the address, chosen earlier, or the browser's.
 *
 * @param {string | null} asked
 * @param {readonly string[]} offered
 */
export function firstLanguage(asked, offered) {
  const wished = [asked, kept(), ...navigator.languages];
  const found = wished.map((tag) => tag?.slice(0, 2).toLowerCase() ?? "");
  return found.find((language) => offered.includes(language)) ?? "en";
}

/**
 * @param {string} language
 * @returns {Promise<Texts>} English where the file cannot be had
 */
export async function load(language) {
  if (language === "en") return english;
  try {
    // the location, unlike the base address, never holds a password, which fetch would refuse
    const address = new URL(`texts/${language}.json`, location.href);
    const answer = await fetch(address, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return await answer.json();
  } catch (error) {
    console.warn(`texts of ${language}:`, error);
    return english;
  }
}

/**
 * Put words into all elements that name one; the page is of the language that they are in.
 *
 * @param {Texts} texts
 * @param {string} language
 */
export function apply(texts, language) {
  document.documentElement.lang = texts === english ? "en" : language;
  document.documentElement.dir = texts.dir;
  document.title = texts.title;
  for (const element of document.querySelectorAll("[data-text]")) {
    const name = /** @type {HTMLElement} */ (element).dataset.text ?? "";
    element.textContent = String(/** @type {Record<string, unknown>} */ (texts)[name] ?? "");
  }
}

/** @param {string} language */
export function keep(language) {
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // a browser that keeps nothing asks again
  }
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}
