/** How much and how fast: unanswered frames and pauses between attempts. No I/O, no clock. */

/**
 * @typedef {object} SentFrame
 * @property {number} bytes
 * @property {number} at ms, when it was sent
 * @property {number} share of the bytes that it would have at full size and quality
 */

/** Frames that were sent and are not answered yet, by the server's own numbers. */
export class Unanswered {
  /** @type {Map<number, SentFrame>} */
  #open = new Map();
  #last = 0;

  /** @param {number} most most frames that may be open */
  constructor(most = 1) {
    this.most = most;
  }

  /**
   * Begin anew on a fresh or resumed connection; what was open is not waited for any more.
   *
   * @param {number} received frames that the server has received so far
   * @param {number} most most frames that may be open
   */
  restart(received, most) {
    this.#open.clear();
    this.#last = received;
    this.most = Math.max(1, most);
  }

  /**
   * Note a sent frame.
   *
   * @param {SentFrame} frame
   */
  sent(frame) {
    this.#open.set(++this.#last, frame);
  }

  /**
   * @param {number} seq number of the frame that an answer names
   * @returns {SentFrame | null} that frame, unless it was answered before
   */
  answered(seq) {
    const frame = this.#open.get(seq) ?? null;
    this.#open.delete(seq);
    return frame;
  }

  /** Number of open frames. */
  get size() {
    return this.#open.size;
  }

  /** Bytes of the open frames. */
  get bytes() {
    let sum = 0;
    for (const { bytes } of this.#open.values()) sum += bytes;
    return sum;
  }
}

/** Pauses between attempts: doubled each time, with jitter so that many clients spread out. */
export class Backoff {
  #next;

  /**
   * @param {object} [options]
   * @param {number} [options.first] first pause in ms
   * @param {number} [options.most] longest pause in ms
   * @param {() => number} [options.random] gives 0 to 1
   */
  constructor({ first = 250, most = 4000, random = Math.random } = {}) {
    this.first = first;
    this.most = most;
    this.random = random;
    this.#next = first;
  }

  /** The next pause in ms: between half of it and the whole. */
  pause() {
    const whole = this.#next;
    this.#next = Math.min(this.most, whole * 2);
    return whole * (0.5 + 0.5 * this.random());
  }

  /** Begin again with the first pause. */
  reset() {
    this.#next = this.first;
  }
}
