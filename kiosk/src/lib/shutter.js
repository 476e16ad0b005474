/** Pictures out of a playing video: cropped by the zoom, made to fit the server's limits. */

import { drawPattern, showsPattern } from "./canvas.js";
import { LunaPassError } from "./errors.js";
import { within } from "./wait.js";

const ENCODE_MS = 5000;
const SHRINK = 0.7;
const LEAST_SCALE = 0.1;

/**
 * Size of the picture to send: as the camera gives it, made smaller where it is over a limit.
 *
 * @param {number} width
 * @param {number} height
 * @param {{frameWidth?: number, frameHeight?: number, framePixels?: number}} limits
 * @param {number} [scale] most of the camera's width that is sent
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

/** Takes pictures. */
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
   * Make sure that the browser gives the pictures that were drawn.
   *
   * @throws {LunaPassError}
   */
  async test() {
    if (!drawPattern(this.#canvas)) throw noCanvas();
    const picture = await within(this.#encoded(this.quality), ENCODE_MS, "encoded picture");
    if (await showsPattern(picture)) return;
    throw new LunaPassError(
      "page.canvas",
      "the browser gives white or noise in place of what is drawn on a canvas (canvas protection): " +
        "allow this page to read it",
    );
  }

  /**
   * Take a picture; one of too many bytes is taken again, smaller, as are all that follow.
   *
   * The service refuses a picture that it has already received. A camera that is slower than the
   * frames are asked for, or whose driver delivers a picture twice, gives the same one again.
   *
   * @param {HTMLVideoElement} video
   * @param {number} zoom 1 takes all of the picture, 2 its middle half
   * @param {Record<string, number>} limits of the server
   * @param {{scale: number, quality: number}} pace shares of the size and of the quality that the
   *     line takes
   * @returns {Promise<Blob | null>} null where the camera has no new picture since the last call
   * @throws {LunaPassError}
   */
  async take(video, zoom, limits, pace) {
    const most = limits.frameBytes ?? Infinity;
    const quality = this.quality * pace.quality;
    for (;;) {
      this.#draw(video, zoom, limits, this.#scale * pace.scale);
      const blob = await within(this.#encoded(quality), ENCODE_MS, "encoded picture");
      if (blob.size <= most || this.#scale < LEAST_SCALE) return this.#unlessLast(blob);
      this.#scale *= SHRINK;
    }
  }

  /**
   * The encoder gives the same bytes for the same pixels, so equal bytes are the same picture.
   *
   * @param {Blob} blob
   * @returns {Promise<Blob | null>}
   */
  async #unlessLast(blob) {
    const last = this.#last;
    this.#last = blob;
    if (last?.size !== blob.size) return blob;
    const [before, now] = await Promise.all([bytesOf(last), bytesOf(blob)]);
    return now.every((byte, at) => byte === before[at]) ? null : blob;
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {number} zoom
   * @param {Record<string, number>} limits
   * @param {number} scale
   */
  #draw(video, zoom, limits, scale) {
    const [width, height] = [video.videoWidth / zoom, video.videoHeight / zoom];
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
      const failed = new LunaPassError("camera.busy", "the browser cannot encode the picture");
      const done = (/** @type {Blob | null} */ blob) => (blob ? resolve(blob) : reject(failed));
      this.#canvas.toBlob(done, this.mimetype, quality);
    });
  }
}

function noCanvas() {
  return new LunaPassError("camera.busy", "the browser gives no canvas");
}

/** @param {Blob} blob */
async function bytesOf(blob) {
  return new Uint8Array(await blob.arrayBuffer());
}
