/**
 * The library as one module.
 *
 * @typedef {import("./lunapass.js").FrameStatus} FrameStatus
 * @typedef {import("./lunapass.js").Options} Options
 * @typedef {import("./lunapass.js").Verdict} Verdict
 * @typedef {import("./renderer.js").RendererOptions} RendererOptions
 */

export { LunaPassError } from "./errors.js";
export { LunaPass } from "./lunapass.js";
export { LPMessageRenderer } from "./renderer.js";
