/** The text that a person must accept before the camera starts: `consent` of page.json. */

/**
 * @typedef {object} ConsentText
 * @property {string} version
 * @property {Record<string, string>} texts plain text by language
 */

export class Consent {
  #given;

  /** @param {ConsentText} [given] undefined: there is no text, and none is required */
  constructor(given) {
    this.#given = given;
    /** @type {import("../lib/lunapass.js").ConsentGiven | undefined} */
    this.accepted = undefined;
  }

  /** Whether the person must accept the text first. */
  get missing() {
    return this.#given !== undefined && this.accepted === undefined;
  }

  /**
   * Return the text in a language; in English, or else in the first language, if it is missing.
   *
   * @param {string} language
   */
  textIn(language) {
    const texts = this.#given?.texts ?? {};
    return texts[language] ?? texts.en ?? Object.values(texts)[0] ?? "";
  }

  accept() {
    const { version = "" } = this.#given ?? {};
    this.accepted = { version, acceptedAt: Date.now() };
  }

  /** The next person has not accepted it yet. */
  forget() {
    this.accepted = undefined;
  }
}
