/** Adapts the size of images and the timeouts to the line. No I/O, no clock. */

import { isPrompt } from "./codes.js";

/**
 * Steps of size and quality, each with its approximate share of the first step's bytes. Quality is
 * reduced first, because that preserves the pixels of the face.
 */
const STEPS = Object.freeze([
  { quality: 1, scale: 1, share: 1 },
  { quality: 0.85, scale: 1, share: 0.55 },
  { quality: 0.7, scale: 1, share: 0.4 },
  { quality: 0.7, scale: 0.7, share: 0.22 },
  { quality: 0.7, scale: 0.5, share: 0.12 },
  { quality: 0.7, scale: 0.35, share: 0.07 },
]);
/** A slower answer makes the next images smaller. */
const SLOW_MS = 2500;
/**
 * After this many consecutive answers faster than FAST_MS, images become one step larger. FAST_MS is
 * far below SLOW_MS, so the larger images are not slow at once.
 */
const FAST_MS = 800;
const FAST_ANSWERS = 3;
/** The slowest supported line: 16 kbit/s. */
const SLOWEST_MS_PER_BYTE = 0.5;
/** A line may become this many times slower than at the last answer. */
const SLACK = 8;
/**
 * After so many consecutive frames refused for low liveness, frames follow each other more slowly. A
 * service allows few of them in a session; at full speed the person would be refused before the page
 * can say what may help. Prompts have a time limit, and shut eyes must be seen: they need full speed.
 */
const REFUSALS = 5;
const REFUSED_INTERVAL_MS = 1000;
const LOW_LIVENESS = 32;
/** Codes of an image or a face with too few pixels. */
const TOO_SMALL = [10, 11, 12, 13];

/** Return the ms that a message may take on the slowest supported line. */
export function maxTransferMs(/** @type {number} */ bytes) {
  return bytes * SLOWEST_MS_PER_BYTE;
}

export class Pace {
  #step = 0;
  #smallest = STEPS.length - 1;
  #fast = 0;
  #refusals = 0;
  #msPerByte = SLOWEST_MS_PER_BYTE;

  /** The step for the next image: shares of the camera's size and of the configured quality. */
  get picture() {
    return STEPS[this.#step];
  }

  /** Whether the line is slow: then only one frame may be in flight, or they delay each other. */
  get slow() {
    return this.#step > 0;
  }

  /** Minimum ms between two frames; each status may change it, also while a frame is not due yet. */
  get interval() {
    return this.#refusals < REFUSALS ? 0 : REFUSED_INTERVAL_MS;
  }

  /** Reset for a new connection, which may use another network. */
  restart() {
    this.#msPerByte = SLOWEST_MS_PER_BYTE;
  }

  /**
   * Record how long a frame took, up to its status.
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

  /** React to a break with unanswered frames: they may have been too large for the line. */
  broke() {
    this.#shrink(this.picture.share / 2);
  }

  /**
   * React to a frame's codes. If the face has too few pixels because the page sends fewer, send
   * more of them; the person must not have to come closer.
   *
   * @param {number[]} codes
   */
  judged(codes) {
    const isRefused = codes.includes(LOW_LIVENESS) && !codes.some(isPrompt);
    this.#refusals = isRefused ? this.#refusals + 1 : 0;
    if (!codes.some((code) => TOO_SMALL.includes(code))) return;
    const { scale } = this.picture;
    while (this.#step > 0 && this.picture.scale === scale && scale < 1) this.#step -= 1;
    this.#smallest = Math.min(this.#smallest, this.#step);
  }

  /**
   * Return the ms that unanswered frames may take, in addition to the time for an answer.
   *
   * @param {number} bytes
   */
  allowance(bytes) {
    return bytes * this.#msPerByte;
  }

  /** @param {number} max share of the first step's bytes */
  #shrink(max) {
    this.#fast = 0;
    const fitting = STEPS.findIndex(({ share }) => share <= max);
    const wanted = fitting < 0 ? STEPS.length - 1 : fitting;
    // Never step up here: a larger frame, sent before the last step down, may be answered after it.
    this.#step = Math.min(Math.max(this.#step, wanted), this.#smallest);
  }

  #recover() {
    this.#fast += 1;
    if (this.#fast < FAST_ANSWERS || this.#step === 0) return;
    this.#fast = 0;
    this.#step -= 1;
  }
}
