/** Live charts in SVG, drawn in pixels of the screen. */

import { svg } from "../lib/icons.js";

/** Length of the time axis in seconds. */
const SPAN = 300;
const TICK = 60;
const ROUND = [1, 2, 2.5, 5, 10];

/** Lines over the last minutes with a common scale; the legend has the newest values. */
export class LineChart {
  #svg = svg("svg", { role: "img" });
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
    heading.textContent = title + (unit && ` (${unit})`);
    this.#legend.className = "legend";
    place.append(heading, this.#svg, this.#legend);
  }

  /**
   * @param {[name: string, values: (number | null)[]][]} lines null leaves a gap
   * @param {number[]} times epoch seconds of the values; the axis ends at the last one
   */
  draw(lines, times) {
    const top = niceTop(Math.max(0, ...lines.flatMap(([, values]) => values.map((v) => v ?? 0))));
    const frame = new Frame(this.#svg, top, times.at(-1) ?? 0);
    const paths = lines.map(([, values], index) => {
      return svg("path", { d: pathOf(frame.points(values, times)), class: `line-${index}` });
    });
    this.#svg.replaceChildren(...frame.axes(), ...paths);
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

/** The axes of a chart: places of times and values on the screen. */
class Frame {
  /**
   * @param {Element} element whose size counts
   * @param {number} top value at the upper edge
   * @param {number} end time at the right edge
   */
  constructor(element, top, end) {
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.top = top;
    this.end = end;
    this.left = 3 * rem;
    this.right = Math.max(this.left + 1, element.clientWidth - rem);
    this.upper = 0.6 * rem;
    this.foot = Math.max(this.upper + 1, element.clientHeight - 1.5 * rem);
    this.gap = 0.5 * rem;
  }

  /** @param {number} time */
  x(time) {
    return this.right - ((this.end - time) / SPAN) * (this.right - this.left);
  }

  /** @param {number} value */
  y(value) {
    return this.foot - (value / this.top) * (this.foot - this.upper);
  }

  /**
   * @param {(number | null)[]} values
   * @param {number[]} times
   */
  points(values, times) {
    return values.map((value, index) => {
      const x = this.x(times[index] ?? this.end);
      return value === null || x < this.left ? null : { x, y: this.y(value) };
    });
  }

  /** Return lines and labels: three values, and each full minute. */
  axes() {
    const values = [0, this.top / 2, this.top].flatMap((value) => {
      const y = this.y(value);
      const at = { x: this.left - this.gap, y, "text-anchor": "end", "dominant-baseline": "middle" };
      return [svg("line", { x1: this.left, x2: this.right, y1: y, y2: y }), label(short(value), at)];
    });
    const minutes = ticks(this.end).flatMap((time) => {
      const x = this.x(time);
      const at = { x, y: this.foot + 2.5 * this.gap, "text-anchor": "middle" };
      return [
        svg("line", { x1: x, x2: x, y1: this.foot, y2: this.foot + this.gap / 2 }),
        label(clockTime(time).slice(0, 5), at),
      ];
    });
    return [...values, ...minutes];
  }
}

/**
 * Return the full minutes of the axis.
 *
 * @param {number} end epoch seconds
 */
export function ticks(end) {
  const last = Math.floor(end / TICK) * TICK;
  return Array.from({ length: SPAN / TICK }, (_, index) => last - index * TICK).reverse();
}

/**
 * Return the local time, such as 09:05:30.
 *
 * @param {number} time epoch seconds
 */
export function clockTime(time) {
  return new Date(1000 * time).toLocaleTimeString("en-GB", { hourCycle: "h23" });
}

/**
 * @param {string} text
 * @param {Record<string, string | number>} attributes
 */
function label(text, attributes) {
  const element = svg("text", attributes);
  element.textContent = text;
  return element;
}

/**
 * Create a table row: a name, numbers, and the first number as a horizontal bar.
 *
 * @param {string} name
 * @param {readonly string[]} texts
 * @param {number} share 0 to 1, of the bar
 */
export function barRow(name, texts, share) {
  const row = document.createElement("tr");
  const heading = document.createElement("th");
  heading.scope = "row";
  heading.textContent = name;
  row.append(heading);
  for (const text of texts) row.insertCell().textContent = text;
  const bar = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "bar" });
  bar.append(svg("rect", { width: 100 * Math.min(1, share), height: 10, rx: 1 }));
  bar.setAttribute("aria-hidden", "true");
  row.insertCell().append(bar);
  return row;
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

/**
 * Return the path of a line, with a gap at each null.
 *
 * @param {({x: number, y: number} | null)[]} points
 */
export function pathOf(points) {
  return points
    .map((point, index) => {
      if (point === null) return "";
      const command = (points[index - 1] ?? null) === null ? "M" : "L";
      return `${command}${point.x.toFixed(1)},${point.y.toFixed(1)}`;
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
