/** What the service measured at the marked place: medians over the last frames. No browser functions. */

const MAX_FRAMES = 25;

/**
 * Measurements of one frame, as far as the service reports them.
 *
 * @typedef {object} Measured
 * @property {number} [faceWidth] pixels of the frame
 * @property {number} [faceHeight]
 * @property {number} [frameWidth]
 * @property {number} [frameHeight]
 * @property {number} [across] of the face's centre to the right of the frame's, over its width
 * @property {number} [down] of the face's centre below the frame's, over its height
 * @property {number} [pitch] degrees, with `CHECKS.pitchOffsetDeg`
 * @property {number} [yaw]
 * @property {number} [roll]
 * @property {number} [blur] 0 to 1, the higher the better, as the four below
 * @property {number} [light]
 * @property {number} [darkness]
 * @property {number} [illumination]
 * @property {number} [specularity]
 *
 * @typedef {keyof Measured} Measure
 */

export class Measurements {
  /** @type {{values: Measured, errors: readonly number[]}[]} */
  #frames = [];

  /** @param {import("../lib/lunapass.js").FrameStatus} status */
  add({ errors, details }) {
    this.#frames.push({ values: measuredIn(details ?? {}), errors });
    if (this.#frames.length > MAX_FRAMES) this.#frames.shift();
  }

  /** Whether there are enough frames for medians. */
  get complete() {
    return this.#frames.length >= MAX_FRAMES;
  }

  get count() {
    return this.#frames.length;
  }

  /** @returns {Measured} medians; a measure that no frame had is absent */
  medians() {
    const names = new Set(this.#frames.flatMap(({ values }) => Object.keys(values)));
    return Object.fromEntries([...names].map((name) => [name, this.#median(/** @type {Measure} */ (name))]));
  }

  /** @param {Measure} name */
  #median(name) {
    const found = this.#frames.map(({ values }) => values[name]).filter((value) => value !== undefined);
    return found.sort((a, b) => a - b)[Math.floor(found.length / 2)];
  }

  /**
   * Return the share of the frames that had a code.
   *
   * @param {number} code
   */
  share(code) {
    const having = this.#frames.filter(({ errors }) => errors.includes(code)).length;
    return this.count === 0 ? 0 : having / this.count;
  }
}

/**
 * @param {Record<string, any>} details of a frame status
 * @returns {Measured}
 */
function measuredIn({ faceFramePosition, headPose, quality }) {
  /** @type {Record<string, unknown>} */
  const values = { ...headPose, ...quality };
  if (faceFramePosition !== undefined) {
    const { faceRect: face, frameRect: frame } = faceFramePosition;
    Object.assign(values, {
      faceWidth: face.width,
      faceHeight: face.height,
      frameWidth: frame.width,
      frameHeight: frame.height,
      across: (face.x + face.width / 2) / frame.width - 0.5,
      down: (face.y + face.height / 2) / frame.height - 0.5,
    });
  }
  // The judgements beside the measures, such as isDark, are no numbers.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)));
}
