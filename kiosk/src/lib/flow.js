/** Flow control: unanswered frames, and pauses between attempts to connect. No I/O, no clock. */

/**
 * @typedef {object} SentFrame
 * @property {number} bytes
 * @property {number} at time of sending in ms
 * @property {number} share its bytes relative to full size and quality
 */

/** Frames that were sent but not answered yet, by the server's frame numbers. */
export class Unanswered {
  /** @type {Map<number, SentFrame>} */
  #open = new Map();
  #last = 0;

  /** @param {number} max maximum number of open frames */
  constructor(max = 1) {
    this.max = max;
  }

  /**
   * Reset for a new or resumed connection; open frames are forgotten.
   *
   * @param {number} received number of frames that the server has received so far
   * @param {number} max maximum number of open frames
   */
  restart(received, max) {
    this.#open.clear();
    this.#last = received;
    this.max = Math.max(1, max);
  }

  /** @param {SentFrame} frame */
  sent(frame) {
    this.#open.set(++this.#last, frame);
  }

  /**
   * @param {number} seq number of the answered frame
   * @returns {SentFrame | null} the frame; null if it was answered before
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

/** Pauses between attempts: exponential, with jitter to spread many clients. */
export class Backoff {
  #next;

  /**
   * @param {object} [options]
   * @param {number} [options.first] first pause in ms
   * @param {number} [options.max] maximum pause in ms
   * @param {() => number} [options.random] returns 0 to 1
   */
  constructor({ first = 250, max = 4000, random = Math.random } = {}) {
    this.first = first;
    this.max = max;
    this.random = random;
    this.#next = first;
  }

  /** Return the next pause in ms: between half and all of the current step. */
  pause() {
    const whole = this.#next;
    this.#next = Math.min(this.max, whole * 2);
    return whole * (0.5 + 0.5 * this.random());
  }

  /** Start again with the first pause. */
  reset() {
    this.#next = this.first;
  }
}
