/** The texts for the end of a check. */

/**
 * @typedef {import("./texts.js").Texts} Texts
 *
 * @typedef {object} Outcome
 * @property {"done" | "failed" | "problem"} kind
 * @property {string} title
 * @property {string} reason
 * @property {string} [bestshot] data URL of the best shot
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
 * Some error codes of the server have a text that helps more than that of the library's code.
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
 * Return the best shot in a token as a data URL; the token is not verified here.
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
