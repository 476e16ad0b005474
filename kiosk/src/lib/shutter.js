/** Pictures out of a playing video: cropped by the zoom, made to fit the server's limits. */

import { LunaPassError } from "./errors.js";
import { within } from "./wait.js";

const ENCODE_MS = 5000;
const LEAST_QUALITY = 0.3;

/**
 * Size of the picture to send: as the camera gives it, made smaller where it is over a limit.
 *
 * @param {number} width
 * @param {number} height
 * @param {{frameWidth?: number, frameHeight?: number, framePixels?: number}} limits
 * @returns {[number, number]}
 */
export function fit(width, height, limits) {
  const { frameWidth = Infinity, frameHeight = Infinity, framePixels = Infinity } = limits;
  const share = Math.min(
    1,
    frameWidth / width,
    frameHeight / height,
    Math.sqrt(framePixels / (width * height)),
  );
  return [Math.floor(width * share), Math.floor(height * share)];
}

/** Takes pictures. */
export class Shutter {
  #canvas = document.createElement("canvas");

  /**
   * @param {string} mimetype
   * @param {number} quality 0 to 1
   */
  constructor(mimetype, quality) {
    this.mimetype = mimetype;
    this.quality = quality;
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {number} zoom 1 takes all of the picture, 2 its middle half
   * @param {Record<string, number>} limits of the server
   * @returns {Promise<Blob>}
   * @throws {LunaPassError}
   */
  async take(video, zoom, limits) {
    const [width, height] = [video.videoWidth / zoom, video.videoHeight / zoom];
    const [x, y] = [(video.videoWidth - width) / 2, (video.videoHeight - height) / 2];
    const canvas = this.#canvas;
    [canvas.width, canvas.height] = fit(width, height, limits);
    const context = canvas.getContext("2d", { alpha: false });
    if (context === null) throw new LunaPassError("camera.busy", "the browser gives no canvas");
    context.drawImage(video, x, y, width, height, 0, 0, canvas.width, canvas.height);
    return this.#encode(limits.frameBytes ?? Infinity);
  }

  /** @param {number} most bytes */
  async #encode(most) {
    for (let quality = this.quality; ; quality -= 0.2) {
      const blob = await within(this.#blob(quality), ENCODE_MS, "encoded picture");
      if (blob.size <= most || quality - 0.2 < LEAST_QUALITY) return blob;
    }
  }

  /**
   * @param {number} quality
   * @returns {Promise<Blob>}
   */
  #blob(quality) {
    return new Promise((resolve, reject) => {
      const failed = new LunaPassError("camera.busy", "the browser cannot encode the picture");
      const done = (/** @type {Blob | null} */ blob) => (blob ? resolve(blob) : reject(failed));
      this.#canvas.toBlob(done, this.mimetype, quality);
    });
  }
}
