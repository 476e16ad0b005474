/** Prevents hints from flickering. No clock of its own, for tests. */

/** @typedef {import("./codes.js").Hint} Hint */

/** Shows the most frequent recent hint, and each hint for a minimum time. */
export class SteadyHint {
  /** @type {{hint: Readonly<Hint>, at: number}[]} */
  #recent = [];
  /** @type {Readonly<Hint> | null} */
  #shown = null;
  #since = -Infinity;

  /**
   * @param {object} [options]
   * @param {number} [options.hold] minimum ms to show a hint
   * @param {number} [options.window] ms of frames that count
   */
  constructor({ hold = 700, window = 1000 } = {}) {
    this.hold = hold;
    this.window = window;
  }

  /**
   * @param {Readonly<Hint>} hint
   * @param {number} now ms on a monotonic clock
   */
  push(hint, now) {
    this.#recent.push({ hint, at: now });
    this.#recent = this.#recent.filter(({ at }) => now - at < this.window);
  }

  /**
   * @param {number} now
   * @returns {Readonly<Hint> | null}
   */
  shown(now) {
    const winner = this.#winner();
    if (winner !== null && this.#isNew(winner) && now - this.#since >= this.hold) {
      this.#shown = winner;
      this.#since = now;
    }
    return this.#shown;
  }

  /**
   * @param {number} now
   * @returns {number | null} ms; null if no change is pending
   */
  due(now) {
    const winner = this.#winner();
    if (winner === null || !this.#isNew(winner)) return null;
    return Math.max(0, this.#since + this.hold - now);
  }

  /**
   * Whether a hint is not the shown one; a page may have its own words for a code.
   *
   * @param {Readonly<Hint>} hint
   */
  #isNew({ name, code }) {
    return name !== this.#shown?.name || code !== this.#shown?.code;
  }

  /**
   * Return the most frequent hint, or the newest of equally frequent ones. Prompts of the active
   * check do not flicker: a newest hint that is a prompt wins without a vote.
   */
  #winner() {
    const newest = this.#recent.at(-1)?.hint ?? null;
    if (newest === null || newest.prompt) return newest;
    /** @type {Map<string, number>} */
    const votes = new Map();
    let best = newest;
    for (const { hint } of this.#recent) {
      const count = (votes.get(hint.name) ?? 0) + 1;
      votes.set(hint.name, count);
    }
    for (const { hint } of this.#recent) {
      const [count, most] = [votes.get(hint.name) ?? 0, votes.get(best.name) ?? 0];
      if (count > most) best = hint;
    }
    return best;
  }
}
