/** The page's texts in the person's language. */

import { withOwn } from "./branding.js";
import { loadJson } from "./json.js";
import english from "./texts/en.json";

/** @typedef {typeof english} Texts */

const STORAGE_KEY = "lunapass.language";

/**
 * Return the initial language: from the address, chosen earlier, or the browser's.
 *
 * @param {string | null} asked
 * @param {readonly string[]} offered
 * @param {boolean} forget whether a choice counts for one person alone
 */
export function firstLanguage(asked, offered, forget) {
  const tags = [asked, forget ? null : stored(), ...navigator.languages];
  const wanted = tags.map((tag) => tag?.slice(0, 2).toLowerCase() ?? "");
  return wanted.find((language) => offered.includes(language)) ?? "en";
}

/**
 * @typedef {object} Loaded
 * @property {string} language of the texts: English if the file cannot be loaded
 * @property {Texts} texts
 *
 * @param {string} language
 * @param {Record<string, Record<string, unknown>>} [own] the operator's texts by language
 * @returns {Promise<Loaded>}
 */
export async function load(language, own = {}) {
  if (language === "en") return { language, texts: withOwn(english, own.en ?? {}) };
  try {
    const texts = /** @type {Texts} */ (await loadJson(`texts/${language}.json`));
    return { language, texts: withOwn(texts, own[language] ?? {}) };
  } catch (error) {
    console.warn(`texts of ${language}:`, error);
    return load("en", own);
  }
}

/**
 * Write the texts into all elements that name one, and set the page's language.
 *
 * @param {Loaded} loaded
 */
export function apply({ texts, language }) {
  document.documentElement.lang = language;
  document.documentElement.dir = texts.dir;
  document.title = texts.title;
  for (const element of document.querySelectorAll("[data-text]")) {
    const name = /** @type {HTMLElement} */ (element).dataset.text ?? "";
    element.textContent = String(/** @type {Record<string, unknown>} */ (texts)[name] ?? "");
  }
}

/** @param {string} language */
export function store(language) {
  try {
    localStorage.setItem(STORAGE_KEY, language);
  } catch {
    // without storage, the person chooses again at the next visit
  }
}

function stored() {
  try {
    return localStorage.getItem(STORAGE_KEY);
  } catch {
    return null;
  }
}
