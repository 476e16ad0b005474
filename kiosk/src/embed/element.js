/** The custom element `<face-liveness>`. Importing this module defines it. */

import { startCheck } from "./check.js";

/**
 * Runs a check while it is in a page and has a `url`.
 *
 * | attribute     | meaning                                                        |
 * |---------------|----------------------------------------------------------------|
 * | `url`         | address of the service, such as `wss://kiosk.example.org/ws`   |
 * | `start-token` | token of the relying party that starts the session             |
 * | `lang`        | language of the texts; default: the page's, else the browser's |
 *
 * | event    | detail                                                        |
 * |----------|---------------------------------------------------------------|
 * | `hint`   | `{name, words}`, each time another hint is shown              |
 * | `result` | the verdict `{isOk, jwt, errors}`                             |
 * | `error`  | why there is no verdict: a `LunaPassError`                    |
 *
 * A changed attribute starts the check again. Removing the element ends it.
 */
export class FaceLiveness extends HTMLElement {
  static observedAttributes = ["url", "start-token", "lang"];

  /**
   * Function that gets a start token for each session, in place of the attribute.
   *
   * @type {import("./check.js").Options["startToken"]}
   */
  startToken = Reflect.get(this, "startToken"); // a page may set it before this module is loaded
  /**
   * Further options of the library, such as `mode` and `detector`.
   *
   * @type {import("./check.js").Options}
   */
  options = Reflect.get(this, "options") ?? {};
  #root = this.attachShadow({ mode: "open" });
  #end = () => {};

  constructor() {
    super();
    const style = new CSSStyleSheet();
    style.replaceSync(":host{display:block;block-size:32rem}:host([hidden]){display:none}");
    this.#root.adoptedStyleSheets = [style];
  }

  /** Start the check, or start it again. */
  restart() {
    this.#end();
    const url = this.getAttribute("url");
    if (!url || !this.isConnected) return;
    this.#end = startCheck(this.#root, {
      url,
      startToken: this.startToken ?? this.getAttribute("start-token") ?? undefined,
      lang: this.lang,
      options: this.options,
      onHint: (hint) => this.#report("hint", hint),
      onResult: (verdict) => this.#report("result", verdict),
      onError: (error) => this.#report("error", error),
    });
  }

  connectedCallback() {
    this.restart();
  }

  disconnectedCallback() {
    this.#end();
  }

  /**
   * @param {string} _name
   * @param {string | null} before
   * @param {string | null} now
   */
  attributeChangedCallback(_name, before, now) {
    if (before !== now) this.restart();
  }

  /**
   * @param {"hint" | "result" | "error"} type
   * @param {unknown} detail
   */
  #report(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

customElements.define("face-liveness", FaceLiveness);
