/** Shows the hint of a frame status as text and icon, and an outline for the face. */

import { Advice } from "./advice.js";
import { hintOf } from "./codes.js";
import { placeOf } from "./framing.js";
import { icon } from "./icons.js";
import { Oval } from "./oval.js";
import { NO_PROGRESS, progressOf } from "./progress.js";
import css from "./renderer.css";
import { SteadyHint } from "./steady.js";
import { OPERATOR_WORDS, WORDS } from "./words.js";

/**
 * @typedef {object} RendererOptions
 * @property {boolean | Record<string, string>} [text] false: no text; an object: texts by hint
 * @property {boolean | object} [graphics] false: neither outline nor icons
 * @property {Record<string | number, string>} [errorMessages] texts by code
 * @property {"selfie" | "operator"} [mode] selfie: the person sees a mirrored image
 * @property {number} [adviceAfter] ms of refused liveness before advice is shown (6000); 0: never
 * @property {(name: string, words: string) => void} [onHint] called with name and text of each hint when
 *   it is shown
 */

export class LPMessageRenderer {
  #steady = new SteadyHint();
  #advice;
  #oval = new Oval();
  #element = document.createElement("div");
  #bubble = document.createElement("div");
  #picture = document.createElement("div");
  #words = document.createElement("p");
  #step = document.createElement("p");
  #progress = NO_PROGRESS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {HTMLElement | null} */
  #root = null;
  /** Height of the text so far: it does not shrink, or each hint would move the image. */
  #top = 0;
  #resized = new ResizeObserver((entries) => this.#layOut(entries));
  #options;
  #texts;
  #onHint;

  /** @param {RendererOptions} [options] */
  constructor(options = {}) {
    const { text, mode = "selfie", errorMessages = {}, graphics = true } = options;
    this.#advice = new Advice({ after: options.adviceAfter });
    this.#options = { graphics: graphics !== false, text: text !== false, mode, errorMessages };
    this.#onHint = options.onHint ?? (() => {});
    const own = typeof text === "object" ? text : {};
    this.#texts = { ...WORDS, ...(mode === "operator" ? OPERATOR_WORDS : {}), ...own };
  }

  /**
   * Draw over the content of an element.
   *
   * @param {HTMLElement} root
   */
  async init(root) {
    useStyle(root);
    if (getComputedStyle(root).position === "static") root.style.position = "relative";
    const bubble = this.#bubble;
    bubble.className = "lp-bubble";
    bubble.setAttribute("role", "status");
    this.#element.className = "lp-renderer";
    this.#picture.className = "lp-picture";
    this.#words.className = "lp-words";
    this.#step.className = "lp-step";
    const texts = document.createElement("div");
    texts.append(this.#words, this.#step);
    bubble.append(...(this.#options.graphics ? [this.#picture] : []), texts);
    this.#words.hidden = this.#step.hidden = !this.#options.text;
    this.#element.replaceChildren(bubble, ...(this.#options.graphics ? [this.#oval.element] : []));
    root.append(this.#element);
    this.#root = root;
    for (const element of [root, bubble]) this.#resized.observe(element);
  }

  /**
   * Show a frame status, without flickering.
   *
   * @param {import("./lunapass.js").FrameStatus} status
   */
  render(status) {
    if (status.isOk) {
      this.#finish();
      return;
    }
    const now = performance.now();
    const hint = hintOf(status.errors, this.#place(status));
    const advice = this.#advice.push(status.errors, now);
    const isChecking = hint.name === "checking";
    this.#steady.push(isChecking && advice !== null ? { ...hint, name: advice } : hint, now);
    const progress = progressOf(status);
    this.#showProgress(progress);
    this.#refresh();
  }

  /** Show success: the service accepts the session with the first frame that it accepts. */
  #finish() {
    const { total } = this.#progress;
    this.#showProgress({ done: total, total, left: 0 });
    this.notice(this.#texts.done ?? "", "done");
    delete this.#element.dataset.wait;
  }

  /** @param {Readonly<import("./progress.js").Progress>} progress */
  #showProgress(progress) {
    this.#progress = progress;
    this.#oval.show(progress);
    this.#write(this.#step, this.#stepText(progress));
  }

  /**
   * Show a text of the page at once, such as that the connection is being restored. Until the next
   * frame status the outline shows that something is awaited.
   *
   * @param {string} words
   * @param {string} [name] name of an icon
   */
  notice(words, name = "wait") {
    clearTimeout(this.#timer);
    this.#steady = new SteadyHint();
    this.#oval.show({ ...this.#progress, left: 0 });
    this.#element.dataset.wait = "";
    this.#show(name, words);
  }

  /**
   * Show the outcome in place of the camera and the outline.
   *
   * @param {string} title
   * @param {string} help text below the title
   * @param {"done" | "failed"} name name of the icon
   */
  end(title, help, name) {
    this.notice(title, name);
    this.#write(this.#step, help);
    this.#element.dataset.end = "";
  }

  /** Remove everything that was drawn. */
  destroy() {
    clearTimeout(this.#timer);
    this.#resized.disconnect();
    this.#root?.style.removeProperty("--lp-top");
    this.#element.remove();
  }

  /**
   * Return where the face must move to be in the oval.
   *
   * @param {import("./lunapass.js").FrameStatus} status
   * @returns {string | null} null if it is there, or if there is no face or no oval
   */
  #place({ details }) {
    const position = details?.faceFramePosition;
    const share = Number(getComputedStyle(this.#element).getPropertyValue("--lp-oval-share"));
    if (position === undefined || !this.#options.graphics || !(share > 0)) return null;
    return placeOf(position, share);
  }

  /**
   * Reserve the height of the text, so that the image and the oval stay where they are.
   *
   * @param {ResizeObserverEntry[]} entries
   */
  #layOut(entries) {
    if (entries.some(({ target }) => target === this.#root)) {
      this.#top = 0; // another screen
      this.#bubble.style.minHeight = "";
    }
    this.#top = Math.max(this.#top, this.#bubble.offsetHeight);
    this.#bubble.style.minHeight = `${this.#top}px`;
    this.#root?.style.setProperty("--lp-top", `${this.#top}px`);
  }

  #refresh() {
    clearTimeout(this.#timer);
    const now = performance.now();
    const hint = this.#steady.shown(now);
    if (hint !== null) {
      delete this.#element.dataset.wait;
      this.#show(hint.name, this.#wordsOf(hint));
    }
    const due = this.#steady.due(now);
    if (due !== null) this.#timer = setTimeout(() => this.#refresh(), due);
  }

  /** @param {Readonly<import("./codes.js").Hint>} hint */
  #wordsOf({ name, code }) {
    return this.#options.errorMessages[code] ?? this.#texts[name] ?? "";
  }

  /** @param {import("./progress.js").Progress} progress */
  #stepText({ done, total }) {
    if (done >= total) return "";
    const number = done + 1;
    const text = this.#texts.step ?? "";
    return text.replace("{number}", String(number)).replace("{total}", String(total));
  }

  /**
   * @param {string} name
   * @param {string} words
   */
  #show(name, words) {
    this.#write(this.#words, words);
    if (this.#element.dataset.hint === name) return;
    this.#element.dataset.hint = name;
    this.#picture.replaceChildren(icon(name, { mirrored: this.#options.mode === "selfie" }));
    try {
      this.#onHint(name, words);
    } catch (error) {
      reportError(error); // an error of the page must not end the check
    }
  }

  /**
   * Write only changes: a screen reader reads every write aloud.
   *
   * @param {HTMLElement} element
   * @param {string} words
   */
  #write(element, words) {
    if (element.textContent !== words) element.textContent = words;
  }
}

/**
 * Add the style to the document or shadow root of an element, once. A constructed sheet needs no
 * exception in a content security policy.
 *
 * @param {HTMLElement} element
 */
function useStyle(element) {
  const root = element.getRootNode();
  const place = root instanceof ShadowRoot ? root : document;
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
  }
  if (place.adoptedStyleSheets.includes(sheet)) return;
  place.adoptedStyleSheets = [...place.adoptedStyleSheets, sheet];
}

/** @type {CSSStyleSheet | null} */
let sheet = null;
