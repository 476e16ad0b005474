/** Small live charts in SVG. */

import { svg } from "../lib/icons.js";

const [WIDTH, HEIGHT] = [300, 90];
const ROUND = [1, 2, 2.5, 5, 10];

/** Lines over time with a common scale; the legend has the newest values. */
export class LineChart {
  #svg = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  #legend = document.createElement("ul");
  #title;
  #unit;

  /**
   * @param {HTMLElement} place
   * @param {string} title
   * @param {string} [unit]
   */
  constructor(place, title, unit = "") {
    this.#title = title;
    this.#unit = unit;
    const heading = document.createElement("h2");
    heading.textContent = title;
    this.#legend.className = "legend";
    place.append(heading, this.#svg, this.#legend);
  }

  /** @param {[name: string, values: number[]][]} lines */
  draw(lines) {
    const top = niceTop(Math.max(0, ...lines.flatMap(([, values]) => values)));
    this.#svg.replaceChildren(...grid(top), ...lines.map(([, values], i) => line(values, top, i)));
    const newest = lines.map(([name, values]) => `${name}: ${this.#worded(values.at(-1) ?? 0)}`);
    this.#svg.setAttribute("aria-label", `${this.#title}. ${newest.join(", ")}`);
    this.#legend.replaceChildren(...newest.map(legendItem));
  }

  /** @param {number} value */
  #worded(value) {
    return short(value) + (this.#unit && ` ${this.#unit}`);
  }
}

/**
 * Create rows with horizontal bars.
 *
 * @param {[name: string, count: number][]} rows
 */
export function bars(rows) {
  const most = Math.max(1, ...rows.map(([, count]) => count));
  return rows.map(([name, count]) => {
    const row = document.createElement("tr");
    const [label, value, shape] = ["th", "td", "td"].map((tag) => document.createElement(tag));
    const bar = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none" });
    bar.append(svg("rect", { width: (100 * count) / most, height: 10, rx: 1 }));
    bar.setAttribute("aria-hidden", "true");
    label?.setAttribute("scope", "row");
    label?.append(name);
    value?.append(short(count));
    shape?.append(bar);
    row.append(.../** @type {HTMLElement[]} */ ([label, value, shape]));
    return row;
  });
}

/**
 * Return a round number at or above a value.
 *
 * @param {number} value
 */
export function niceTop(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (ROUND.find((round) => round * power >= value) ?? 10) * power;
}

/** @param {number} value */
export function short(value) {
  if (value >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** @param {number} top */
function grid(top) {
  const label = svg("text", { x: 2, y: 10 });
  label.textContent = short(top);
  return [
    svg("line", { x1: 0, x2: WIDTH, y1: 1, y2: 1 }),
    svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 }),
    label,
  ];
}

/**
 * @param {number[]} values
 * @param {number} top
 * @param {number} index of the line, for its colour
 */
function line(values, top, index) {
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values.map((value, i) => {
    return `${(i * step).toFixed(1)},${(HEIGHT - 1 - (value / top) * (HEIGHT - 2)).toFixed(1)}`;
  });
  return svg("polyline", { points: points.join(" "), class: `line-${index}` });
}

/**
 * @param {string} text
 * @param {number} index
 */
function legendItem(text, index) {
  const item = document.createElement("li");
  item.className = `line-${index}`;
  item.textContent = text;
  return item;
}
