/** Icons of the hints, as strokes in a square of 48. */

const FACE = "M20 9c6 0 10.5 5 10.5 12S26 38 20 38 9.5 28 9.5 21 14 9 20 9Z";
const HEAD = "M24 9c6 0 10.5 5 10.5 12S30 38 24 38s-10.5-10-10.5-17S18 9 24 9Z";
const HEAD_EYES = "M20 20h.01M28 20h.01";
const MOUTH = "M20 29c2.5 2 5.5 2 8 0";
const SUN = "M20 12a8 8 0 1 1 0 16 8 8 0 0 1 0-16ZM20 2v4M20 34v4M2 20h4M34 20h4M7.3 7.3l2.8 2.8M29.9 29.9l2.8 2.8M7.3 32.7l2.8-2.8M29.9 10.1l2.8-2.8";
const ARROW_RIGHT = "M6 24h34M28 11l13 13-13 13";
const CORNERS = "M5 14V7a2 2 0 0 1 2-2h7M34 5h7a2 2 0 0 1 2 2v7M43 34v7a2 2 0 0 1-2 2h-7M14 43H7a2 2 0 0 1-2-2v-7";

/** @type {Readonly<Record<string, string>>} */
const PATHS = Object.freeze({
  aim: `${CORNERS} M24 14c5 0 8 4 8 9.5S28.5 35 24 35s-8-6-8-11.5S19 14 24 14Z M21 23h.01M27 23h.01M22 29h4`,
  one: "M17 10a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM5 39c1-8 6-11 12-11s11 3 12 11M33 12l9 9M42 12l-9 9",
  closer: `${HEAD} ${HEAD_EYES} ${MOUTH} M12 6H5v7M36 6h7v7M5 35v7h7M43 35v7h-7M5 6l6 6M43 6l-6 6M5 42l6-6M43 42l-6-6`,
  back: "M24 15c4 0 7 3.5 7 8.5S28 34 24 34s-7-5.5-7-10.5 3-8.5 7-8.5ZM21.5 22h.01M26.5 22h.01M22 28h4M5 12h7V5M43 12h-7V5M12 43v-7H5M36 43v-7h7M4 4l8 8M44 4l-8 8M4 44l8-8M44 44l-8-8",
  right: ARROW_RIGHT,
  left: "M42 24H8M20 11L7 24l13 13",
  up: "M24 42V8M11 20L24 7l13 13",
  down: "M24 6v34M11 28l13 13 13-13",
  turnRight: `${FACE} M20 20h.01M27 20h.01 M21 29h5 M36 16l8 8-8 8M34 24h9`,
  turnLeft: "M28 9c6 0 10.5 5 10.5 12S34 38 28 38s-10.5-10-10.5-17S22 9 28 9ZM28 20h.01M21 20h.01M22 29h5M12 16l-8 8 8 8M14 24H5",
  untiltRight: "M17 13c5.5-2.5 11.5.5 14 7s.5 15-5 17-13-5-15.5-11.5S11.5 15.5 17 13ZM17 24h.01M24 21h.01M20 31l6-2.5M30 6c6 1.5 10 5.5 12 11M42 9v8h-8",
  untiltLeft: "M31 13c-5.5-2.5-11.5.5-14 7s-.5 15 5 17 13-5 15.5-11.5S36.5 15.5 31 13ZM31 24h.01M24 21h.01M28 31l-6-2.5M18 6C12 7.5 8 11.5 6 17M6 9v8h8",
  chinUp: `${FACE} M16 17h.01M24 17h.01 M17 26h6 M40 38V11M33 18l7-8 7 8`,
  chinDown: `${FACE} M16 25h.01M24 25h.01 M17 33h6 M40 9v27M33 29l7 8 7-8`,
  openEyes: "M3 24c5.5-9 12.5-13 21-13s15.5 4 21 13c-5.5 9-12.5 13-21 13S8.5 33 3 24ZM24 17a7 7 0 1 1 0 14 7 7 0 0 1 0-14Z",
  closeEyes: "M4 20c5 7.5 12 11 20 11s15-3.5 20-11M24 31v7M14 29l-3 6M34 29l3 6M7 24l-4 4M41 24l4 4",
  straight: `${CORNERS} M24 12c5.5 0 9 4.5 9 11S29.5 37 24 37s-9-7-9-14 3.5-11 9-11Z M20.5 22h.01M27.5 22h.01M21 30c2 1.5 4 1.5 6 0`,
  uncover: `${HEAD} ${HEAD_EYES} M14.5 25l9.5 3 9.5-3 M15 32l9 2 9-2 M41 30v12M36 37l5 5 5-5`,
  glasses: "M12 18a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM36 18a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM19 24c3-2.5 7-2.5 10 0M6 42L42 6",
  moreLight: `${SUN} M39 33v12M33 39h12`,
  lessLight: `${SUN} M33 39h12`,
  evenLight: "M24 6a18 18 0 1 1 0 36 18 18 0 0 1 0-36ZM24 6v36M24 14h12M24 22h17M24 30h16",
  glare: "M20 5c1.5 9 5 12.5 14 14-9 1.5-12.5 5-14 14-1.5-9-5-12.5-14-14 9-1.5 12.5-5 14-14ZM37 30c.7 4 2.5 5.5 6 6-3.5.7-5.3 2.3-6 6-.7-3.7-2.5-5.3-6-6 3.5-.5 5.3-2 6-6Z",
  still: "M24 5a19 19 0 1 1 0 38 19 19 0 0 1 0-38ZM24 15a9 9 0 1 1 0 18 9 9 0 0 1 0-18ZM24 2v7M24 39v7M2 24h7M39 24h7",
  hold: `${HEAD} ${HEAD_EYES} ${MOUTH}`,
  camera: "M5 14h8l3-5h16l3 5h8v26H5ZM24 18a8 8 0 1 1 0 16 8 8 0 0 1 0-16Z",
  checking: "M24 5a19 19 0 1 1 0 38 19 19 0 0 1 0-38ZM24 15a9 9 0 1 1 0 18 9 9 0 0 1 0-18ZM24 2v7M24 39v7M2 24h7M39 24h7",
  adviceLight: `${SUN} M39 33v12M33 39h12`,
  adviceWall: `${HEAD} ${HEAD_EYES} ${MOUTH} M4 6v36M9 24h4`,
  adviceGlasses: "M12 18a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM36 18a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM19 24c3-2.5 7-2.5 10 0M6 42L42 6",
  adviceLens: "M5 14h8l3-5h16l3 5h8v26H5ZM24 18a8 8 0 1 1 0 16 8 8 0 0 1 0-16ZM20 26l4-4",
  wait: "M42 24a18 18 0 1 1-6-13.4M37 3v8h-8",
  done: "M7 25l12 12L42 12",
  failed: "M10 10l28 28M38 10L10 38",
});

/** Icons to swap if the person does not see a mirrored image. */
const OTHER_SIDE = new Map([
  ["turnRight", "turnLeft"],
  ["turnLeft", "turnRight"],
  ["untiltRight", "untiltLeft"],
  ["untiltLeft", "untiltRight"],
  ["up", "down"],
  ["down", "up"],
]);

/**
 * @param {string} name
 * @param {object} [options]
 * @param {boolean} [options.mirrored] the person sees a mirrored image
 * @returns {SVGSVGElement}
 */
export function icon(name, { mirrored = true } = {}) {
  const shown = mirrored ? name : (OTHER_SIDE.get(name) ?? name);
  return drawing("0 0 48 48", PATHS[shown] ?? PATHS.hold ?? "");
}

/**
 * @param {string} viewBox
 * @param {string} d
 */
export function drawing(viewBox, d) {
  const picture = /** @type {SVGSVGElement} */ (svg("svg", { viewBox, "aria-hidden": "true" }));
  picture.append(svg("path", { d }));
  return picture;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
export function svg(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
