/** The texts of hints and outcomes; each language is a file that is loaded when it is needed. */

import languages from "languages";
import { LunaPassError } from "../lib/index.js";

/**
 * Load the texts of a language; English if there are none of it.
 *
 * @param {string} [asked] language tag; default: the page's language, else the browser's
 * @returns {Promise<import("../page/texts.js").Texts>}
 * @throws {LunaPassError} code `network.unreachable`
 */
export async function loadTexts(asked) {
  const tag = asked || document.documentElement.lang || navigator.language;
  const name = tag.slice(0, 2).toLowerCase();
  const language = Object.hasOwn(languages, name) ? name : "en";
  try {
    const { default: texts } = await languages[language]();
    return texts;
  } catch (error) {
    throw new LunaPassError("network.unreachable", `no texts of ${language}: ${error}`);
  }
}
