"use client";
/** The check as a React component and as a hook, for React 17 to 19. */

import { createElement, useCallback, useEffect, useRef, useState } from "react";
import { startCheck } from "./check.js";

/**
 * @typedef {import("./check.js").Options} Options
 * @typedef {import("./check.js").Verdict} Verdict
 * @typedef {import("./check.js").Hint} Hint
 *
 * @typedef {object} CheckProps
 * @property {string} [url] address of the service; the check starts when it is known
 * @property {Options["startToken"]} [startToken] token that starts the session, or a function that gets
 *   one for each session
 * @property {string} [lang] language of the texts; default: the page's, else the browser's
 * @property {Options} [options] further options of the library, read when a check starts
 * @property {(hint: Hint) => void} [onHint] called when another hint is shown
 * @property {(verdict: Verdict) => void} [onResult] called with the verdict
 * @property {(error: unknown) => void} [onError] called with why there is no verdict, a `LunaPassError`
 *
 * @typedef {object} CheckState
 * @property {Hint | null} hint the last hint that was shown
 * @property {Verdict | null} verdict
 * @property {unknown} error why there is no verdict; null if there is no error
 *
 * @typedef {object} ElementProps
 * @property {string} [className]
 * @property {import("react").CSSProperties} [style] default without a class: 32rem high
 */

/** @type {CheckState} */
const STARTED = { hint: null, verdict: null, error: null };

/**
 * Run a check in an element. It starts again when `url`, `lang` or a start token that is a string
 * changes, and ends when the element is unmounted.
 *
 * @param {CheckProps} props
 * @returns {CheckState & {ref: (element: HTMLElement | null) => void, restart: () => void}} `ref` is
 *   for an empty element with a size
 */
export function useFaceLiveness(props) {
  const { url, lang, startToken } = props;
  const [element, ref] = useState(/** @type {HTMLElement | null} */ (null));
  const [round, setRound] = useState(0);
  const [state, setState] = useState(STARTED);
  const latest = useRef(props); // a new function with each rendering must not start the check again
  useEffect(() => {
    latest.current = props;
  });
  useEffect(() => {
    if (element === null || !url) return undefined;
    const { options, startToken: token } = latest.current;
    setState(STARTED);
    /** @param {Partial<CheckState>} change */
    const change = (change) => setState((before) => ({ ...before, ...change }));
    return startCheck(element, {
      url,
      startToken: token,
      lang,
      options,
      onHint(hint) {
        change({ hint });
        latest.current.onHint?.(hint);
      },
      onResult(verdict) {
        change({ verdict });
        latest.current.onResult?.(verdict);
      },
      onError(error) {
        change({ error });
        latest.current.onError?.(error);
      },
    });
  }, [element, url, lang, typeof startToken === "string" ? startToken : null, round]);
  const restart = useCallback(() => setRound((number) => number + 1), []);
  return { ...state, ref, restart };
}

/**
 * Show a check: camera, hints and outcome.
 *
 * @param {CheckProps & ElementProps} props
 * @returns {import("react").ReactElement}
 */
export function FaceLiveness({ className, style, ...check }) {
  const { ref } = useFaceLiveness(check);
  const size = className === undefined ? { height: "32rem" } : {};
  return createElement("div", { ref, className, style: { ...size, ...style } });
}
