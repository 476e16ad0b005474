/** Shows the camera on the page, inside the element `vllunapass-wrapper`. */

const ID = "vllunapass-wrapper";

export class View {
  #wrapper;
  #mirrored;
  #zoom = 1;

  /**
   * @param {HTMLElement} root
   * @param {{mirrored: boolean}} options
   */
  constructor(root, { mirrored }) {
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
    Object.assign(video.style, { width: "100%", height: "100%", objectFit: "cover" });
    this.#wrapper.prepend(video);
    this.video = video;
    this.#transform();
    return video;
  }

  /** Remove the video element. */
  close() {
    if (this.video !== null) {
      this.video.srcObject = null;
      this.video.remove();
    }
    this.video = null;
  }

  get zoom() {
    return this.#zoom;
  }

  set zoom(times) {
    this.#zoom = times;
    this.#transform();
  }

  #transform() {
    const across = this.#mirrored ? -this.#zoom : this.#zoom;
    if (this.video !== null) this.video.style.transform = `scale(${across}, ${this.#zoom})`;
  }
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
