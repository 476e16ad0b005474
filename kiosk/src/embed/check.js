/** One check inside an element, as the custom element and the React component run it. */

import { LPMessageRenderer, LunaPass } from "../lib/index.js";
import { outcomeOf, problemOf } from "../page/outcome.js";
import { connectionNotice } from "./notice.js";
import { loadTexts } from "./texts.js";

/**
 * @typedef {import("../lib/lunapass.js").Options} Options
 * @typedef {import("../lib/lunapass.js").Verdict} Verdict
 * @typedef {{name: string, words: string}} Hint
 *
 * @typedef {object} CheckSettings
 * @property {string} url address of the service, such as `wss://kiosk.example.org/ws`
 * @property {Options["startToken"]} [startToken]
 * @property {string} [lang] language of the texts; default: the page's, else the browser's
 * @property {Options} [options] further options of the library
 *
 * @typedef {object} CheckEvents
 * @property {(hint: Hint) => void} onHint called when another hint is shown
 * @property {(verdict: Verdict) => void} onResult called with the verdict
 * @property {(error: unknown) => void} onError called with why there is no verdict, a `LunaPassError`
 */

/**
 * @param {ParentNode} root where to draw; the outcome stays there until the check is ended
 * @param {CheckSettings & CheckEvents} check
 * @returns {() => void} ends the check without a further event, and removes what was drawn
 */
export function startCheck(root, { onHint, onResult, onError, ...settings }) {
  const ending = new AbortController();
  const { signal } = ending;
  /** @type {<T>(report: (value: T) => void) => (value: T) => void} */
  const untilEnded = (report) => (value) => {
    if (!signal.aborted) report(value);
  };
  run(root, settings, untilEnded(onHint), signal).then(untilEnded(onResult), untilEnded(onError));
  return () => ending.abort();
}

/**
 * @param {ParentNode} root
 * @param {CheckSettings} settings
 * @param {(hint: Hint) => void} onHint
 * @param {AbortSignal} signal
 * @returns {Promise<Verdict>}
 */
async function run(root, settings, onHint, signal) {
  const { url, lang, options, startToken = options?.startToken } = settings;
  const texts = await loadTexts(lang);
  // The check may have been ended in the task that started it: an element that is moved leaves the page
  // first, and each changed attribute starts it again. Such a check opens neither camera nor session.
  signal.throwIfAborted();
  const stage = addStage(root, texts.dir);
  const renderer = new LPMessageRenderer({
    text: texts.hints,
    mode: options?.mode,
    onHint: (name, words) => onHint({ name, words }),
  });
  const onConnection = connectionNotice(texts, renderer, options?.onConnection);
  const pass = new LunaPass(stage, { ...options, startToken, onConnection });
  const leave = () => Promise.all([pass.detachCamera(), pass.disconnectWS()]);
  signal.addEventListener("abort", () => {
    leave();
    renderer.destroy();
    stage.remove();
  });
  try {
    await renderer.init(stage);
    renderer.notice(texts.askingCamera, "camera");
    await pass.attachCamera();
    signal.throwIfAborted();
    renderer.notice(texts.connecting);
    await pass.connectWS(url);
    const verdict = await pass.checkLiveness((status) => renderer.render(status));
    showOutcome(renderer, outcomeOf(verdict, texts));
    return verdict;
  } catch (error) {
    showOutcome(renderer, problemOf(error, texts));
    throw error;
  } finally {
    await leave();
  }
}

/**
 * Add the element of one check: what a check leaves late must not reach the next one.
 *
 * @param {ParentNode} root
 * @param {string} direction of the texts
 */
function addStage(root, direction) {
  const stage = document.createElement("div");
  stage.dir = direction;
  Object.assign(stage.style, { position: "relative", width: "100%", height: "100%" });
  root.append(stage);
  return stage;
}

/**
 * @param {LPMessageRenderer} renderer
 * @param {import("../page/outcome.js").Outcome} outcome
 */
function showOutcome(renderer, { kind, title, help }) {
  renderer.end(title, help, kind === "done" ? "done" : "failed");
}
