/** The page's texts in the person's language. */

import english from "./texts/en.json";

/** @typedef {typeof english} Texts */

const STORAGE_KEY = "lunapass.language";
const TIMEOUT_MS = 5000;

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
 * @param {string} language
 * @returns {Promise<Texts>} English if the file cannot be loaded
 */
export async function load(language) {
  if (language === "en") return english;
  try {
    // location.href: document.baseURI may contain a password, which fetch refuses
    const address = new URL(`texts/${language}.json`, location.href);
    const answer = await fetch(address, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return await answer.json();
  } catch (error) {
    console.warn(`texts of ${language}:`, error);
    return english;
  }
}

/**
 * Write the texts into all elements that name one, and set the page's language.
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
