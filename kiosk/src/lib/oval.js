/** The outline for the face, with the progress of the actions and the time left around it. */

import { svg } from "./icons.js";
import { NO_PROGRESS } from "./progress.js";

const [WIDTH, HEIGHT] = [75, 100];
const [RX, RY] = [WIDTH / 2, HEIGHT / 2];
const GAP = 0.06;
/** Distance between the outline and the ring of the time left. */
const APART = 4;

export class Oval {
  #ring = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
  #time = svg("path", { d: around(APART), pathLength: 1, class: "lp-time" });
  #drawn = "";

  constructor() {
    this.element = document.createElement("div");
    this.element.className = "lp-oval";
    this.element.append(this.#ring);
    this.show(NO_PROGRESS);
  }

  /**
   * Draw the ring, with one part per action, and around it what is left of the action's time.
   *
   * @param {Readonly<import("./progress.js").Progress>} progress
   */
  show({ done, total, left }) {
    this.#time.setAttribute("stroke-dasharray", `${left} 1`);
    this.#time.toggleAttribute("hidden", left === 0);
    const drawn = `${done}/${total}`;
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#ring.replaceChildren(...(total > 0 ? parts(done, total) : [whole()]), this.#time);
  }
}

function whole() {
  return svg("ellipse", { cx: WIDTH / 2, cy: HEIGHT / 2, rx: RX, ry: RY });
}

/**
 * Return the path of an ellipse outside the outline, clockwise from the top.
 *
 * @param {number} apart
 */
function around(apart) {
  const [rx, ry] = [RX + apart, RY + apart];
  return `M${RX} ${-apart}a${rx} ${ry} 0 0 1 0 ${2 * ry}a${rx} ${ry} 0 0 1 0 ${-2 * ry}`;
}

/**
 * @param {number} done
 * @param {number} total
 */
function parts(done, total) {
  return Array.from({ length: total }, (_, index) => {
    const [from, to] = [index / total + GAP / 2, (index + 1) / total - GAP / 2];
    const d = `M${at(from)}A${RX} ${RY} 0 ${to - from > 0.5 ? 1 : 0} 1 ${at(to)}`;
    return svg("path", { d, "data-done": String(index < done) });
  });
}

/**
 * Return the point at a share of the ellipse, clockwise from the top.
 *
 * @param {number} share
 */
function at(share) {
  const angle = 2 * Math.PI * share;
  const [x, y] = [WIDTH / 2 + RX * Math.sin(angle), HEIGHT / 2 - RY * Math.cos(angle)];
  return `${x.toFixed(2)} ${y.toFixed(2)}`;
}
