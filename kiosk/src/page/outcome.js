/** How a check ended, in words and with a picture. */

/**
 * @typedef {import("./texts.js").Texts} Texts
 *
 * @typedef {object} Outcome
 * @property {"done" | "failed" | "problem"} kind
 * @property {string} title
 * @property {string} reason
 * @property {string} [bestshot] address of the best shot
 */

/**
 * @param {import("../lib/lunapass.js").Verdict} verdict
 * @param {Texts} texts
 * @returns {Outcome}
 */
export function outcomeOf(verdict, texts) {
  if (verdict.isOk) {
    const bestshot = bestshotOf(verdict.jwt ?? "");
    return { kind: "done", title: texts.done, reason: texts.doneReason, bestshot };
  }
  /** @type {Record<string, string>} */
  const failures = texts.failures;
  const code = verdict.errors.find((error) => failures[error] !== undefined) ?? "other";
  return { kind: "failed", title: texts.failed, reason: failures[code] ?? texts.failures.other };
}

/**
 * What the server said has a text of its own where that helps more than the library's code.
 *
 * @param {unknown} error
 * @param {Texts} texts
 * @returns {Outcome}
 */
export function problemOf(error, texts) {
  const { code, detail } = /** @type {{code?: unknown, detail?: unknown}} */ (error ?? {});
  /** @type {Record<string, string>} */
  const problems = texts.problems;
  const reason = problems[String(detail)] ?? problems[String(code)] ?? texts.problems.other;
  return { kind: "problem", title: texts.problem, reason };
}

/**
 * The best shot out of a token, as an address for an image; the token is for the server to verify.
 *
 * @param {string} token
 * @returns {string | undefined}
 */
export function bestshotOf(token) {
  try {
    const payload = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const { bestshot } = JSON.parse(atob(payload));
    return `data:${typeOf(bestshot)};base64,${bestshot}`;
  } catch {
    return undefined;
  }
}

/** @param {string} base64 */
function typeOf(base64) {
  if (base64.startsWith("iVBOR")) return "image/png";
  return base64.startsWith("UklGR") ? "image/webp" : "image/jpeg";
}
