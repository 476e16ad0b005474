/** Captures images from a playing video: of the part that is shown, within the server's limits. */

import { drawPattern, showsPattern } from "./canvas.js";
import { LunaPassError } from "./errors.js";
import { within } from "./wait.js";

/** Detects a browser that never encodes; a busy device may need seconds for one image. */
const ENCODE_MS = 15_000;
const SHRINK = 0.7;
const MIN_SCALE = 0.1;

/**
 * Return the size of the image to send: the camera's size, reduced to the limits.
 *
 * @param {number} width
 * @param {number} height
 * @param {{frameWidth?: number, frameHeight?: number, framePixels?: number}} limits
 * @param {number} [scale] maximum share of the camera's width
 * @returns {[number, number]}
 */
export function fit(width, height, limits, scale = 1) {
  const { frameWidth = Infinity, frameHeight = Infinity, framePixels = Infinity } = limits;
  const share = Math.min(
    scale,
    frameWidth / width,
    frameHeight / height,
    Math.sqrt(framePixels / (width * height)),
  );
  return [Math.floor(width * share), Math.floor(height * share)];
}

/** Captures images. */
export class Shutter {
  #canvas = document.createElement("canvas");
  #scale = 1;
  /** @type {Blob | null} */
  #last = null;

  /**
   * @param {string} mimetype
   * @param {number} quality 0 to 1
   */
  constructor(mimetype, quality) {
    this.mimetype = mimetype;
    this.quality = quality;
  }

  /**
   * Check that the browser returns what was drawn.
   *
   * @throws {LunaPassError}
   */
  async test() {
    if (!drawPattern(this.#canvas)) throw noCanvas();
    const picture = await within(this.#encoded(this.quality), ENCODE_MS, "encoded picture");
    if (await showsPattern(picture)) return;
    throw new LunaPassError(
      "page.canvas",
      "the browser returns white or noise for what is drawn on a canvas (canvas protection): " +
        "allow this page to read its canvas",
    );
  }

  /**
   * Capture an image; if it has too many bytes, capture it and all later ones at a smaller size.
   *
   * The service refuses an image that it has already received. A camera repeats an image if it is
   * slower than the frame rate, or if its driver delivers images twice.
   *
   * @param {HTMLVideoElement} video
   * @param {import("./framing.js").Size} region centred part of the image
   * @param {Record<string, number>} limits limits of the server
   * @param {{scale: number, quality: number}} pace shares of size and quality for the line
   * @returns {Promise<Blob | null>} null if the camera has no new image since the last call
   * @throws {LunaPassError}
   */
  async take(video, region, limits, pace) {
    const max = limits.frameBytes ?? Infinity;
    const quality = this.quality * pace.quality;
    for (;;) {
      this.#draw(video, region, limits, this.#scale * pace.scale);
      const blob = await within(this.#encoded(quality), ENCODE_MS, "encoded picture");
      if (blob.size <= max || this.#scale < MIN_SCALE) return this.#unlessRepeated(blob);
      this.#scale *= SHRINK;
    }
  }

  /**
   * Return null for a repeated image. The encoder is deterministic: equal pixels give equal bytes.
   *
   * @param {Blob} blob
   * @returns {Promise<Blob | null>}
   */
  async #unlessRepeated(blob) {
    const last = this.#last;
    this.#last = blob;
    if (last?.size !== blob.size) return blob;
    const [before, now] = await Promise.all([bytesOf(last), bytesOf(blob)]);
    return now.every((byte, at) => byte === before[at]) ? null : blob;
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {import("./framing.js").Size} region
   * @param {Record<string, number>} limits
   * @param {number} scale
   */
  #draw(video, { width, height }, limits, scale) {
    const [x, y] = [(video.videoWidth - width) / 2, (video.videoHeight - height) / 2];
    const canvas = this.#canvas;
    [canvas.width, canvas.height] = fit(width, height, limits, scale);
    const context = canvas.getContext("2d", { alpha: false });
    if (context === null) throw noCanvas();
    context.drawImage(video, x, y, width, height, 0, 0, canvas.width, canvas.height);
  }

  /**
   * @param {number} quality
   * @returns {Promise<Blob>}
   */
  #encoded(quality) {
    return new Promise((resolve, reject) => {
      const failed = new LunaPassError("camera.busy", "the browser cannot encode the image");
      const done = (/** @type {Blob | null} */ blob) => (blob ? resolve(blob) : reject(failed));
      this.#canvas.toBlob(done, this.mimetype, quality);
    });
  }
}

function noCanvas() {
  return new LunaPassError("camera.busy", "the browser provides no canvas");
}

/** @param {Blob} blob */
async function bytesOf(blob) {
  return new Uint8Array(await blob.arrayBuffer());
}
