/** The library as one module. */

export { LunaPassError } from "./errors.js";
export { LunaPass } from "./lunapass.js";
export { LPMessageRenderer } from "./renderer.js";
