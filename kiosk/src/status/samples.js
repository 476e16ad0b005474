/** The statistics of the last minutes; turns counters into rates. No browser functions. */

/**
 * @typedef {object} Statistics the answer of `/statistics`
 * @property {number} at epoch seconds
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
 * @property {Record<string, number>} cpuSeconds by process, since its start
 * @property {{at: number, session: string, outcome: string, seconds: number, frames: number,
 *   code: number | null, leading: number | null}[]} recentSessions newest first
 * @property {{up: boolean}} aggregator
 */

const MAX_READINGS = 150;

export class Samples {
  /** @type {Statistics[]} */
  #all = [];

  /**
   * Add a reading. A restarted gateway counts from zero, so earlier readings are discarded.
   *
   * @param {Statistics} reading
   */
  add(reading) {
    const last = this.#all.at(-1);
    if (last !== undefined && reading.uptimeSeconds < last.uptimeSeconds) this.#all = [];
    this.#all.push(reading);
    if (this.#all.length > MAX_READINGS) this.#all.shift();
  }

  /** The newest reading. */
  get last() {
    return this.#all.at(-1) ?? null;
  }

  /** Epoch seconds of the readings. */
  get times() {
    return this.#all.map(({ at }) => at);
  }

  /**
   * Return a gauge over time.
   *
   * @param {(reading: Statistics) => number | null} value
   * @returns {(number | null)[]} null where there is no value yet
   */
  values(value) {
    return this.#all.map(value);
  }

  /**
   * Return a counter's growth per second over time.
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
   * Return a counter's growth per second over the last seconds.
   *
   * @param {(reading: Statistics) => number | undefined} counter
   * @param {number} [seconds]
   * @returns {number | null} null with less than two readings
   */
  load(counter, seconds = 10) {
    const { last } = this;
    if (last === null) return null;
    const earlier = this.#all.filter(({ at }) => at <= last.at - seconds);
    const first = earlier.at(-1) ?? this.#all[0];
    if (first === undefined || first === last) return null;
    return Math.max(0, ((counter(last) ?? 0) - (counter(first) ?? 0)) / (last.at - first.at));
  }

  /**
   * Return the growth of a table's counters since the oldest reading, largest first.
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
