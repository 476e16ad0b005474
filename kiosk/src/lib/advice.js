/** Advice for a person whose frames are refused for low liveness. No clock of its own, for tests. */

/** Names of the advice texts, in order: a session may end before the last one. */
export const ADVICE = Object.freeze(["adviceLight", "adviceGlasses", "adviceWall", "adviceLens"]);

const LOW_LIVENESS = 32;
const AGGREGATING = 37;

/** Measures how long liveness is refused, then returns one piece of advice after the other. */
export class Advice {
  #since = Infinity;
  #refused = -Infinity;

  /**
   * @param {object} [options]
   * @param {number} [options.after] ms of refusals before the first advice; 0 for no advice
   * @param {number} [options.each] ms to show each piece
   */
  constructor({ after = 6000, each = 3000 } = {}) {
    this.after = after > 0 ? after : Infinity;
    this.each = each;
  }

  /**
   * @param {readonly number[]} errors
   * @param {number} now ms on a monotonic clock
   * @returns {string | null} name of the advice; null if none is due
   */
  push(errors, now) {
    if (errors.length === 0 || errors.includes(AGGREGATING)) this.#since = Infinity;
    if (!errors.includes(LOW_LIVENESS)) return null;
    if (now - this.#refused > this.each) this.#since = now; // the person fixed something else
    this.#refused = now;
    this.#since = Math.min(this.#since, now);
    const waited = now - this.#since - this.after;
    if (waited < 0) return null;
    return ADVICE[Math.floor(waited / this.each) % ADVICE.length] ?? null;
  }
}
