/** The hint for each code of a frame status, and their priorities. */

/**
 * Hints by priority: of several hints, the first one in this list is shown. Codes that the person
 * cannot act on (liveness, aggregation, failed estimators) are `checking`; a frame without a code is
 * `hold`.
 */
export const HINTS = Object.freeze([
  "camera",
  "aim",
  "one",
  "down",
  "up",
  "left",
  "right",
  "closer", // after the sides: a face that is cut off looks small
  "back",
  "moreLight",
  "lessLight",
  "evenLight",
  "glare",
  "turnRight",
  "turnLeft",
  "untiltRight",
  "untiltLeft",
  "chinUp",
  "chinDown",
  "uncover",
  "glasses",
  "openEyes",
  "closeEyes",
  "straight",
  "still",
  "wait",
  "checking",
  "hold",
]);

/** @type {Readonly<Record<number, string>>} */
const HINT_OF_CODE = Object.freeze({
  3: "still",
  4: "lessLight",
  5: "moreLight",
  6: "evenLight",
  7: "glare",
  8: "aim",
  9: "one",
  10: "camera",
  11: "camera",
  12: "closer",
  13: "closer",
  14: "up",
  15: "left",
  16: "down",
  17: "right",
  19: "turnRight",
  20: "turnLeft",
  21: "untiltRight",
  22: "untiltLeft",
  23: "chinUp",
  24: "chinDown",
  26: "uncover",
  28: "glasses",
  30: "still",
  33: "still",
  38: "back",
  51: "openEyes",
  61: "openEyes",
  62: "closeEyes",
  63: "straight",
  64: "turnRight",
  65: "turnLeft",
  66: "straight",
  67: "chinUp",
  68: "chinDown",
  72: "wait",
});

/** Codes of the face's size and distance from the borders: the service says where to move. */
const POSITION = Object.freeze([12, 13, 14, 15, 16, 17, 38]);

/** Return whether a code asks for an action of the active check. */
export const isPrompt = (/** @type {number} */ code) => code >= 61 && code <= 68;

/**
 * @typedef {object} Hint
 * @property {string} name one of HINTS
 * @property {number} code its code, 0 for none
 * @property {boolean} prompt it asks for an action of the active check
 */

/** @type {Readonly<Hint>} */
export const HOLD = Object.freeze({ name: "hold", code: 0, prompt: false });

/**
 * Choose the hint for a frame.
 *
 * @param {readonly number[]} errors codes of the frame status
 * @param {string | null} [place] hint for a face outside the oval. It does not count beside a code
 *   that says where to move, or asks for an action, which moves the face.
 * @returns {Readonly<Hint>}
 */
export function hintOf(errors, place = null) {
  const isPlaced = place === null || errors.some((code) => POSITION.includes(code) || isPrompt(code));
  let best = isPlaced ? HOLD : { name: place, code: 0, prompt: false };
  for (const code of errors) {
    const name = HINT_OF_CODE[code] ?? "checking";
    if (best === HOLD || HINTS.indexOf(name) < HINTS.indexOf(best.name)) {
      best = { name, code, prompt: isPrompt(code) };
    }
  }
  return best;
}
