/** What may help a person whose pictures are not judged live. No clock, so that tests give the time. */

/** Names of what the renderer says, in turn. */
export const ADVICE = Object.freeze(["adviceLight", "adviceWall", "adviceGlasses", "adviceLens"]);

const LOW_LIVENESS = 32;
const AGGREGATING = 37;

/** Counts how long liveness has been refused, and then gives one piece of advice after the other. */
export class Advice {
  #since = Infinity;

  /**
   * @param {object} [options]
   * @param {number} [options.after] ms of refusals before the first advice; 0 gives none
   * @param {number} [options.each] ms that each is shown
   */
  constructor({ after = 6000, each = 4000 } = {}) {
    this.after = after > 0 ? after : Infinity;
    this.each = each;
  }

  /**
   * Take the codes of a frame.
   *
   * @param {readonly number[]} errors
   * @param {number} now ms on any clock that does not go back
   * @returns {string | null} name of the advice, null while none is due
   */
  push(errors, now) {
    if (errors.length === 0 || errors.includes(AGGREGATING)) this.#since = Infinity;
    if (!errors.includes(LOW_LIVENESS)) return null;
    this.#since = Math.min(this.#since, now);
    const waited = now - this.#since - this.after;
    if (waited < 0) return null;
    return ADVICE[Math.floor(waited / this.each) % ADVICE.length] ?? null;
  }
}
