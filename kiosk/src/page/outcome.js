/** The texts for the end of a check. */

/**
 * @typedef {import("./texts.js").Texts} Texts
 *
 * @typedef {object} Outcome
 * @property {"done" | "failed" | "problem"} kind
 * @property {string} reason name of the reason: an error's code, or the number of a verdict's code
 * @property {string} title what happened
 * @property {string} help what to do
 * @property {boolean} retry whether another try may help
 * @property {Portrait} [bestshot]
 *
 * @typedef {object} Portrait the best shot and its part to show: a square around the face
 * @property {string} url
 * @property {import("../lib/framing.js").Rectangle} part as shares of the image
 */

const LOW_LIVENESS = 32;
const TOO_MANY_REFUSALS = 73;
/** Hints that may help then, besides better light, which the outcome's own text names. */
const ADVICE = /** @type {const} */ (["adviceGlasses", "adviceWall", "adviceLens"]);

/** Side of the square around the face, in sides of the face box. */
const ROOM = 1.7;

/** Reasons that a second try cannot remove: the page leads back to the start instead. */
const FINAL = [
  "page.insecure",
  "page.origin",
  "server.refused",
  "session.replaced",
  "session.too-many-refusals",
];

/**
 * @param {import("../lib/lunapass.js").Verdict} verdict
 * @param {Texts} texts
 * @returns {Outcome}
 */
export function outcomeOf(verdict, texts) {
  if (verdict.isOk) {
    const bestshot = bestshotOf(verdict.jwt ?? "");
    const { done, doneReason } = texts;
    return { kind: "done", reason: "done", title: done, help: doneReason, retry: false, bestshot };
  }
  const isLivenessLow = verdict.errors.includes(LOW_LIVENESS);
  const reasons = isLivenessLow ? [...verdict.errors, TOO_MANY_REFUSALS] : verdict.errors;
  const outcome = describe("failed", texts.failures, reasons);
  return outcome.reason === `${TOO_MANY_REFUSALS}` ? withAdvice(outcome, texts) : outcome;
}

/**
 * Name everything that may help: a check is often too short to show each piece of advice.
 *
 * @param {Outcome} outcome
 * @param {Texts} texts
 * @returns {Outcome}
 */
function withAdvice(outcome, texts) {
  const advice = ADVICE.map((name) => `${texts.hints[name]}.`);
  return { ...outcome, help: [...advice, outcome.help].join(" ") };
}

/**
 * Some error codes of the server have a text that helps more than that of the library's code.
 *
 * @param {unknown} error
 * @param {Texts} texts
 * @returns {Outcome}
 */
export function problemOf(error, texts) {
  const { code, detail, retryAt } = /** @type {Partial<import("../lib/errors.js").LunaPassError>} */ (
    error ?? {}
  );
  const outcome = describe("problem", texts.problems, [detail, code]);
  return retryAt === undefined ? outcome : { ...outcome, help: comeBack(retryAt, texts) };
}

/**
 * Say at which time another check may start.
 *
 * @param {number} retryAt
 * @param {Texts} texts
 */
function comeBack(retryAt, texts) {
  const minute = new Date(60_000 * Math.ceil(retryAt / 60_000)); // rounded up: never too early
  /** @type {Intl.DateTimeFormatOptions} */
  const format = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return texts.comeBack.replace("{time}", minute.toLocaleTimeString([], format));
}

/**
 * @param {"failed" | "problem"} kind
 * @param {Record<string, {title: string, help: string}> & {other: {title: string, help: string}}} texts
 * @param {readonly unknown[]} reasons the first one with a text counts
 * @returns {Outcome}
 */
function describe(kind, texts, reasons) {
  const reason = reasons.map(String).find((name) => Object.hasOwn(texts, name)) ?? "other";
  return { kind, reason, ...(texts[reason] ?? texts.other), retry: !FINAL.includes(reason) };
}

/**
 * Return the best shot in a token; the token is not verified here.
 *
 * @param {string} token
 * @returns {Portrait | undefined}
 */
export function bestshotOf(token) {
  try {
    const payload = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const { bestshot, details } = JSON.parse(atob(payload));
    const { faceRect, frameRect } = details.faceFramePosition;
    const url = `data:${typeOf(bestshot)};base64,${bestshot}`;
    return { url, part: partAround(faceRect, frameRect) };
  } catch {
    return undefined;
  }
}

/**
 * Return the square around a face, moved into the frame where it sticks out.
 *
 * @param {import("../lib/framing.js").Rectangle} face
 * @param {import("../lib/framing.js").Size} frame
 */
export function partAround(face, frame) {
  const side = Math.min(frame.width, frame.height, ROOM * Math.max(face.width, face.height));
  const x = Math.min(Math.max(0, face.x + (face.width - side) / 2), frame.width - side);
  const y = Math.min(Math.max(0, face.y + (face.height - side) / 2), frame.height - side);
  return {
    x: x / frame.width,
    y: y / frame.height,
    width: side / frame.width,
    height: side / frame.height,
  };
}

/** @param {string} base64 */
function typeOf(base64) {
  if (base64.startsWith("iVBOR")) return "image/png";
  return base64.startsWith("UklGR") ? "image/webp" : "image/jpeg";
}
