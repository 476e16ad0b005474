/** One liveness check: sends frames at the configured rate until the verdict. */

import { LunaPassError } from "./errors.js";
import { pause } from "./wait.js";

const FROZEN_MS = 10_000;
const NO_FACE = 8;

/**
 * @typedef {object} Parts
 * @property {import("./link.js").Link} link
 * @property {HTMLVideoElement} video
 * @property {import("./shutter.js").Shutter} shutter
 * @property {() => import("./framing.js").Size} region part of the image to send
 * @property {number} interval ms between two frames
 * @property {number} timeout maximum ms until the verdict
 * @property {string | undefined} detector URL of the face detector's module
 * @property {(status: import("./lunapass.js").FrameStatus) => void} onFrameStatus
 *
 * @typedef {{sees: (video: HTMLVideoElement) => Promise<boolean>}} Detector
 */

export class Check {
  /** @type {(verdict: import("./lunapass.js").Verdict) => void} */
  #resolve = () => {};
  /** @type {(error: unknown) => void} */
  #reject = () => {};
  /** @type {Detector | null} */
  #detector = null;
  #over = false;
  #pictures = -1;
  #moved = performance.now();
  #parts;
  #deadline = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Parts} parts */
  constructor(parts) {
    this.#parts = parts;
    /** @type {Promise<import("./lunapass.js").Verdict>} */
    this.verdict = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#wait(parts.timeout);
    if (parts.detector) this.#loadDetector(parts.detector);
    this.#run().catch((error) => this.fail(error));
  }

  /**
   * Extend the deadline: the verdict is being received and may take so long.
   *
   * @param {number} ms
   */
  announce(ms) {
    if (!this.#over && performance.now() + ms > this.#deadline) this.#wait(ms);
  }

  /** @param {number} ms maximum time until the verdict */
  #wait(ms) {
    clearTimeout(this.#timer);
    this.#deadline = performance.now() + ms;
    const late = new LunaPassError("timeout", `no verdict in ${ms} ms`, "verdict");
    this.#timer = setTimeout(() => this.fail(late), ms);
  }

  /** @param {import("./lunapass.js").FrameStatus} status */
  status(status) {
    if (this.#over) return;
    try {
      this.#parts.onFrameStatus(status);
    } catch (error) {
      reportError(error); // an error of the page must not end the check
    }
  }

  /** @param {import("./lunapass.js").Verdict} verdict */
  decide(verdict) {
    this.#end();
    this.#resolve(verdict);
  }

  /** @param {unknown} error */
  fail(error) {
    this.#end();
    this.#reject(error);
  }

  #end() {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  async #run() {
    await this.#parts.shutter.test();
    while (!this.#over) {
      const began = performance.now();
      this.#checkMotion(began);
      if (this.#parts.link.ready) await this.#frame();
      await pause(Math.max(10, this.#parts.interval - (performance.now() - began)));
    }
  }

  async #frame() {
    const { link, shutter, video, region } = this.#parts;
    if (!(await this.#seesFace(video))) {
      this.status({ isOk: false, errors: [NO_FACE], details: {} });
      return;
    }
    const picture = await shutter.take(video, region(), link.limits, link.pace.picture);
    if (picture !== null && !this.#over) link.send(picture);
  }

  /**
   * Return false only if a detector sees no face.
   *
   * @param {HTMLVideoElement} video
   */
  async #seesFace(video) {
    try {
      return this.#detector === null || (await this.#detector.sees(video));
    } catch (error) {
      this.#leaveOut(error);
      return true;
    }
  }

  /**
   * Detect a camera that stopped without an event.
   *
   * @param {number} now
   */
  #checkMotion(now) {
    const pictures = this.#parts.video.getVideoPlaybackQuality().totalVideoFrames;
    if (pictures !== this.#pictures || document.visibilityState === "hidden") this.#moved = now;
    this.#pictures = pictures;
    if (now - this.#moved > FROZEN_MS) {
      throw new LunaPassError("camera.lost", "the camera provides no new images");
    }
  }

  /** @param {string} address */
  async #loadDetector(address) {
    try {
      const module = await import(new URL(address, document.baseURI).href);
      this.#detector = await module.load();
    } catch (error) {
      this.#leaveOut(error);
    }
  }

  /**
   * Continue without the detector: the service detects faces itself.
   *
   * @param {unknown} error
   */
  #leaveOut(error) {
    this.#detector = null;
    console.warn("LunaPass: the face detector is off:", error);
  }
}
