/** Icons of the outcomes, as strokes in a square of 48; one for each reason. */

import { drawing, icon } from "../lib/icons.js";

const SLASH = "M6 6l36 36";
const CAMERA = "M5 14h8l3-5h16l3 5h8v26H5ZM24 18a8 8 0 1 1 0 16 8 8 0 0 1 0-16Z";
const CLOCK = "M24 5a19 19 0 1 1 0 38 19 19 0 0 1 0-38ZM24 13v11l8 5";
const REFUSED = "M20 8a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM7 41c1-10 6-14 13-14s12 4 13 14M34 12l9 9M43 12l-9 9";
const WARNING = "M24 5l21 37H3ZM24 18v11M24 35h.01";

/** @type {Readonly<Record<string, string>>} strokes by the reason of an outcome */
export const SYMBOLS = Object.freeze({
  "camera.none": `${CAMERA} ${SLASH}`,
  "camera.denied": "M10 21h28v21H10ZM16 21v-5a8 8 0 0 1 16 0v5M24 29v5",
  "camera.busy": "M4 14h7l3-5h12l3 5h7v10M4 14v26h17M20 18a8 8 0 1 0 0 16M35 26a9 9 0 1 1 0 18 9 9 0 0 1 0-18ZM35 30v5l3 2",
  "camera.lost": "M15 4v9M27 4v9M9 13h24v7a12 12 0 0 1-24 0ZM21 32v12M34 34l9 9M43 34l-9 9",
  "page.insecure": "M10 21h28v21H10ZM16 21v-5a8 8 0 0 1 15-4M24 29v5",
  "page.origin": "M5 8h38v32H5ZM5 16h38M19 23l10 10M29 23l-10 10",
  "page.canvas": `M3 24c5.5-9 12.5-13 21-13s15.5 4 21 13c-5.5 9-12.5 13-21 13S8.5 33 3 24ZM24 17a7 7 0 1 1 0 14 7 7 0 0 1 0-14Z ${SLASH}`,
  "network.unreachable": `M4 18c11-10 29-10 40 0M11 26c7-7 19-7 26 0M18 33c3-3 9-3 12 0M24 40h.01 ${SLASH}`,
  "network.lost": "M20 28a8 8 0 0 1 0-11l5-5a8 8 0 0 1 11 11l-2 2M28 20a8 8 0 0 1 0 11l-5 5a8 8 0 0 1-11-11l2-2M5 5l5 5M38 38l5 5",
  "session.too-many-refusals": "M16 4h16l12 12v16L32 44H16L4 32V16ZM15 24h18",
  "server.full": "M24 10a6 6 0 1 1 0 12 6 6 0 0 1 0-12ZM14 40c0-9 4-13 10-13s10 4 10 13M9 14a5 5 0 0 0 0 10M39 14a5 5 0 0 1 0 10M3 37c0-5 2-8 6-9M45 37c0-5-2-8-6-9",
  "server.refused": "M16 4h16l12 12v16L32 44H16L4 32V16ZM24 14v12M24 34h.01",
  "session.replaced": "M5 8h26v22H5ZM17 30v10h26V18H31M5 14h26",
  timeout: CLOCK,
  40: CLOCK,
  60: "M24 9c6 0 10.5 5 10.5 12S30 38 24 38s-10.5-10-10.5-17S18 9 24 9ZM4 17l-2 4 2 4M44 17l2 4-2 4M20 20h.01M28 20h.01",
  69: `M17 10a7 7 0 1 1 0 14 7 7 0 0 1 0-14ZM4 40c1-9 6-13 13-13s12 4 13 13M31 10a7 7 0 0 1 0 14M36 28c5 2 8 6 8 12`,
  70: `${CAMERA} ${SLASH}`,
  71: WARNING,
  72: "M6 9h36v30H6ZM19 17v14M29 17v14",
  73: REFUSED,
});

/** @param {import("./outcome.js").Outcome} outcome */
export function symbol({ kind, reason }) {
  if (kind === "done") return icon("done");
  const unnamed = kind === "failed" ? REFUSED : WARNING;
  return drawing("0 0 48 48", SYMBOLS[reason] ?? unnamed);
}
