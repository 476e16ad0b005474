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

  /** @param {[name: string, values: (number | null)[]][]} lines null leaves a gap */
  draw(lines) {
    const top = niceTop(Math.max(0, ...lines.flatMap(([, values]) => values.map((v) => v ?? 0))));
    this.#svg.replaceChildren(...grid(top), ...lines.map(([, values], i) => line(values, top, i)));
    const newest = lines.map(([name, values]) => `${name}: ${this.#worded(values.at(-1) ?? null)}`);
    this.#svg.setAttribute("aria-label", `${this.#title}. ${newest.join(", ")}`);
    this.#legend.replaceChildren(...newest.map(legendItem));
  }

  /** @param {number | null} value */
  #worded(value) {
    if (value === null) return "\u2013";
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
 * @param {(number | null)[]} values
 * @param {number} top
 * @param {number} index of the line, for its colour
 */
function line(values, top, index) {
  return svg("path", { d: pathOf(values, top), class: `line-${index}` });
}

/**
 * Return the path of a line, with a gap at each null.
 *
 * @param {(number | null)[]} values
 * @param {number} top value at the upper edge
 */
export function pathOf(values, top) {
  const step = WIDTH / Math.max(1, values.length - 1);
  return values
    .map((value, i) => {
      if (value === null) return "";
      const command = (values[i - 1] ?? null) === null ? "M" : "L";
      const y = HEIGHT - 1 - (value / top) * (HEIGHT - 2);
      return `${command}${(i * step).toFixed(1)},${y.toFixed(1)}`;
    })
    .join("");
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
