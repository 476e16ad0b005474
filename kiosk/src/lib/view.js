/** Shows the camera on the page, inside the element `vllunapass-wrapper`, and the place of the face. */

import { ovalIn, regionOf } from "./framing.js";

const ID = "vllunapass-wrapper";

/**
 * What is shown is what is sent: the video is scaled and clipped to the region.
 *
 * View and renderer exchange sizes as custom properties of the root element. The view sets the width
 * of the oval on the screen (`--lp-oval-width`) and its height over that of the frame
 * (`--lp-oval-share`). The renderer sets the height that its text covers (`--lp-top`); the video begins
 * below it.
 */
export class View {
  #root;
  #wrapper;
  #mirrored;
  #zoom = 1;
  /** @type {import("./framing.js").Geometry | null} */
  #geometry = null;
  /**
   * Kept while the text grows or shrinks beside the video: frames that change their size in the middle
   * of a check are a sign of a virtual camera (code 70).
   *
   * @type {import("./framing.js").Size | null}
   */
  #region = null;
  #resized = new ResizeObserver((entries) => {
    this.#layOut({ changesRegion: entries.some(({ target }) => target === this.#wrapper) });
  });

  /**
   * @param {HTMLElement} root
   * @param {{mirrored: boolean}} options
   */
  constructor(root, { mirrored }) {
    this.#root = root;
    this.#wrapper = wrapperIn(root);
    this.#mirrored = mirrored;
    /** @type {HTMLVideoElement | null} */
    this.video = null;
  }

  /** Create the video element. */
  open() {
    const video = document.createElement("video");
    video.muted = video.playsInline = video.autoplay = true;
    video.disablePictureInPicture = true;
    video.setAttribute("aria-hidden", "true");
    Object.assign(video.style, {
      display: "block",
      width: "100%",
      height: "calc(100% - var(--lp-top, 0px))",
      marginTop: "var(--lp-top, 0px)",
      objectFit: "contain",
    });
    this.#wrapper.prepend(video);
    this.video = video;
    for (const element of [this.#wrapper, video]) this.#resized.observe(element);
    video.addEventListener("resize", () => this.#layOut()); // first image, or the phone was turned
    return video;
  }

  /** Remove the video element. */
  close() {
    this.#resized.disconnect();
    if (this.video !== null) {
      this.video.srcObject = null;
      this.video.remove();
    }
    this.video = null;
    this.#showOval(null, 0);
  }

  get zoom() {
    return this.#zoom;
  }

  set zoom(times) {
    this.#zoom = times;
    this.#layOut();
  }

  /** @param {import("./framing.js").Geometry | null} geometry what the service requires of a frame */
  set geometry(geometry) {
    this.#geometry = geometry;
    this.#layOut();
  }

  /** The centred part of the camera's image that is shown, in the camera's pixels. */
  get region() {
    this.#region ??= regionOf(sizeOf(this.video), boxOf(this.video), this.#zoom, this.#geometry);
    return this.#region;
  }

  /**
   * Scale and clip the video so that the box shows the region and no more.
   *
   * @param {object} [options]
   * @param {boolean} [options.changesRegion] whether the region may change
   */
  #layOut({ changesRegion = true } = {}) {
    const { video } = this;
    if (changesRegion) this.#region = null;
    if (video === null || video.videoWidth === 0) return;
    const [camera, box, region] = [sizeOf(video), boxOf(video), this.region];
    const contained = Math.min(box.width / camera.width, box.height / camera.height);
    const scale = Math.min(box.width / region.width, box.height / region.height);
    const times = contained > 0 ? scale / contained : 1;
    video.style.transform = `scale(${this.#mirrored ? -times : times}, ${times})`;
    const hidden = (/** @type {"width" | "height"} */ side) => {
      return `${Math.max(0, 50 * (1 - (region[side] * contained) / box[side]))}%`;
    };
    video.style.clipPath = `inset(${hidden("height")} ${hidden("width")})`;
    this.#showOval(region, scale);
  }

  /**
   * @param {import("./framing.js").Size | null} region null if no camera is shown
   * @param {number} scale pixels on the screen for each of the region's
   */
  #showOval(region, scale) {
    const { style } = this.#root;
    if (region === null || this.#geometry === null) {
      style.removeProperty("--lp-oval-width");
      style.removeProperty("--lp-oval-share");
      return;
    }
    const oval = ovalIn(region, this.#geometry);
    style.setProperty("--lp-oval-width", `${(scale * oval.width).toFixed(1)}px`);
    style.setProperty("--lp-oval-share", (oval.height / region.height).toFixed(4));
  }
}

/** @param {HTMLVideoElement | null} video */
function sizeOf(video) {
  return { width: video?.videoWidth ?? 0, height: video?.videoHeight ?? 0 };
}

/** @param {HTMLVideoElement | null} video */
function boxOf(video) {
  return { width: video?.clientWidth ?? 0, height: video?.clientHeight ?? 0 };
}

/** @param {HTMLElement} root */
function wrapperIn(root) {
  const found = root.id === ID ? root : root.querySelector(`#${ID}`);
  if (found instanceof HTMLElement) return found;
  const wrapper = document.createElement("div");
  wrapper.id = ID;
  Object.assign(wrapper.style, { width: "100%", height: "100%", overflow: "hidden" });
  root.prepend(wrapper);
  return wrapper;
}
