/** The statistics over the last minutes; rates out of counters. Nothing of the browser. */

/**
 * @typedef {object} Statistics what `/statistics` answers
 * @property {number} at seconds of the epoch
 * @property {number} uptimeSeconds
 * @property {string} version
 * @property {{open: number, undecided: number, accepted: number, refused: number,
 *   left: number}} sessions
 * @property {{received: number, judged: number, dropped: Record<string, number>}} frames
 * @property {Record<string, number>} failedChecks
 * @property {{p50: number | null, p95: number | null, p99: number | null, count: number}} latencyMs
 * @property {{name: string, pid: number, state: string, jobs: number, judged: number,
 *   lost: number}[]} workers
 * @property {{total: number, free: number}} slots
 * @property {{up: boolean}} aggregator
 */

const MOST = 150;

export class Samples {
  /** @type {Statistics[]} */
  #all = [];

  /**
   * Take a reading. A gateway that began anew counts from zero: what was before is left out.
   *
   * @param {Statistics} reading
   */
  add(reading) {
    const last = this.#all.at(-1);
    if (last !== undefined && reading.uptimeSeconds < last.uptimeSeconds) this.#all = [];
    this.#all.push(reading);
    if (this.#all.length > MOST) this.#all.shift();
  }

  /** The newest reading. */
  get last() {
    return this.#all.at(-1) ?? null;
  }

  /**
   * A value that is read as it is, over time.
   *
   * @param {(reading: Statistics) => number | null} value
   * @returns {number[]}
   */
  values(value) {
    return this.#all.map((reading) => value(reading) ?? 0);
  }

  /**
   * What a counter grew in each second, over time.
   *
   * @param {(reading: Statistics) => number | undefined} counter
   * @returns {number[]}
   */
  rates(counter) {
    return this.#all.slice(1).map((reading, index) => {
      const before = /** @type {Statistics} */ (this.#all[index]);
      const seconds = Math.max(0.001, reading.at - before.at);
      return Math.max(0, ((counter(reading) ?? 0) - (counter(before) ?? 0)) / seconds);
    });
  }

  /**
   * What the counters of a table grew since the oldest reading, greatest first.
   *
   * @param {(reading: Statistics) => Record<string, number>} table
   * @returns {[string, number][]}
   */
  grown(table) {
    const [first, last] = [this.#all[0], this.#all.at(-1)];
    if (first === undefined || last === undefined) return [];
    const before = table(first);
    return Object.entries(table(last))
      .map(([name, count]) => /** @type {[string, number]} */ ([name, count - (before[name] ?? 0)]))
      .filter(([, count]) => count > 0)
      .sort(([, a], [, b]) => b - a);
  }
}
