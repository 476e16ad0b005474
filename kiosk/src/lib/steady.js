/** Keeps hints from flickering. No clock of its own, so that it is tested with plain numbers. */

/** @typedef {import("./codes.js").Hint} Hint */

/** Shows the most frequent hint of the last moments, and each for a least time. */
export class SteadyHint {
  /** @type {{hint: Readonly<Hint>, at: number}[]} */
  #recent = [];
  /** @type {Readonly<Hint> | null} */
  #shown = null;
  #since = -Infinity;

  /**
   * @param {object} [options]
   * @param {number} [options.hold] ms that a hint stays at least
   * @param {number} [options.window] ms of frames that vote
   */
  constructor({ hold = 700, window = 1000 } = {}) {
    this.hold = hold;
    this.window = window;
  }

  /**
   * Take the hint of a frame.
   *
   * @param {Readonly<Hint>} hint
   * @param {number} now ms on any clock that does not go back
   */
  push(hint, now) {
    this.#recent.push({ hint, at: now });
    this.#recent = this.#recent.filter(({ at }) => now - at < this.window);
  }

  /**
   * The hint to show now.
   *
   * @param {number} now
   * @returns {Readonly<Hint> | null}
   */
  shown(now) {
    const winner = this.#winner();
    if (winner !== null && winner.name !== this.#shown?.name && now - this.#since >= this.hold) {
      this.#shown = winner;
      this.#since = now;
    }
    return this.#shown;
  }

  /**
   * How long a change that waits has to wait yet.
   *
   * @param {number} now
   * @returns {number | null} ms, null where nothing waits
   */
  due(now) {
    const winner = this.#winner();
    if (winner === null || winner.name === this.#shown?.name) return null;
    return Math.max(0, this.#since + this.hold - now);
  }

  /**
   * The most frequent hint; the newest of equals. A prompt of the active check is no noise: the
   * newest one wins without a vote.
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
