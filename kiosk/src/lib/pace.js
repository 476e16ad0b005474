/** How large pictures may be on this line, and how long it may be silent. No I/O, no clock. */

/**
 * Ways to take a picture, each with about the share of the first one's bytes that it needs.
 * Quality comes first: it costs fewer pixels of the face.
 */
const STEPS = Object.freeze([
  { quality: 1, scale: 1, share: 1 },
  { quality: 0.85, scale: 1, share: 0.55 },
  { quality: 0.7, scale: 1, share: 0.4 },
  { quality: 0.7, scale: 0.7, share: 0.22 },
  { quality: 0.7, scale: 0.5, share: 0.12 },
  { quality: 0.7, scale: 0.35, share: 0.07 },
]);
/** An answer that takes longer makes the next pictures smaller. */
const SLOW_MS = 2500;
/** So many answers in a row that take less make them one step larger, which is still not slow. */
const FAST_MS = 800;
const FAST_ANSWERS = 3;
/** The slowest line that is not given up: 16 kbit/s. */
const SLOWEST_MS_PER_BYTE = 0.5;
/** A line may become so many times slower than it was with the last answer. */
const SLACK = 8;
/** Codes of a picture or a face with too few pixels. */
const TOO_SMALL = [10, 11, 12, 13];

/** The time that a message of so many bytes may take on a line that is not given up. */
export function longest(/** @type {number} */ bytes) {
  return bytes * SLOWEST_MS_PER_BYTE;
}

export class Pace {
  #step = 0;
  #smallest = STEPS.length - 1;
  #fast = 0;
  #msPerByte = SLOWEST_MS_PER_BYTE;

  /** How to take the next picture, as shares of the camera's size and of the asked quality. */
  get picture() {
    return STEPS[this.#step];
  }

  /** Whether the line is slow: then one frame at a time is enough, two would delay each other. */
  get slow() {
    return this.#step > 0;
  }

  /** Begin with a new connection: it may go over another network. */
  restart() {
    this.#msPerByte = SLOWEST_MS_PER_BYTE;
  }

  /**
   * Note how long the line was busy with a frame, up to its status.
   *
   * @param {import("./flow.js").SentFrame} frame
   * @param {number} ms
   */
  answered({ bytes, share }, ms) {
    this.#msPerByte = Math.min(SLOWEST_MS_PER_BYTE, (SLACK * ms) / Math.max(1, bytes));
    if (ms > SLOW_MS) this.#shrink((share * SLOW_MS) / ms);
    else if (ms < FAST_MS) this.#recover();
    else this.#fast = 0;
  }

  /** The connection broke with frames unanswered: they may have been too large for it. */
  broke() {
    this.#shrink(this.picture.share / 2);
  }

  /**
   * Take a frame's codes: where the face has too few pixels, the person must not be sent nearer
   * because the page sends fewer of them.
   *
   * @param {number[]} codes
   */
  judged(codes) {
    if (!codes.some((code) => TOO_SMALL.includes(code))) return;
    const { scale } = this.picture;
    while (this.#step > 0 && this.picture.scale === scale && scale < 1) this.#step -= 1;
    this.#smallest = Math.min(this.#smallest, this.#step);
  }

  /**
   * How long unanswered frames may take, beyond the time for an answer.
   *
   * @param {number} bytes
   */
  allowance(bytes) {
    return bytes * this.#msPerByte;
  }

  /** @param {number} most share of the first step's bytes */
  #shrink(most) {
    this.#fast = 0;
    const fitting = STEPS.findIndex(({ share }) => share <= most);
    const wanted = fitting < 0 ? STEPS.length - 1 : fitting;
    // Frames that were sent before a step down are answered after it: they ask for less than it.
    this.#step = Math.min(Math.max(this.#step, wanted), this.#smallest);
  }

  #recover() {
    this.#fast += 1;
    if (this.#fast < FAST_ANSWERS || this.#step === 0) return;
    this.#fast = 0;
    this.#step -= 1;
  }
}
