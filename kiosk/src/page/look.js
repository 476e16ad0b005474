/** The look of the page: light or dark, and the operator's colours, logo and font. */

/** @type {Readonly<Record<string, string>>} custom properties by the names of page.json */
const COLORS = Object.freeze({
  background: "--ground",
  surface: "--raised",
  text: "--ink",
  quietText: "--quiet",
  edge: "--edge",
  accent: "--accent",
  accentText: "--accent-ink",
  attention: "--ask",
  error: "--bad",
});

/** @typedef {"light" | "dark"} Theme */

/**
 * Apply the look. Without a given theme the page follows the system's, also when that changes.
 *
 * @param {import("./branding.js").Branding} branding
 * @param {Theme | null} given
 */
export function applyLook({ colors = {}, logo = {}, font }, given) {
  useColors(colors);
  if (font !== undefined) useFont(font).catch((error) => console.warn("page.json: font:", error));
  const light = matchMedia("(prefers-color-scheme: light)");
  const follow = () => useTheme(given ?? (light.matches ? "light" : "dark"), logo);
  light.addEventListener("change", follow);
  follow();
}

/**
 * @param {Theme} theme
 * @param {{light?: string, dark?: string, alt?: string}} logo
 */
function useTheme(theme, { alt = "", ...files }) {
  document.documentElement.dataset.theme = theme;
  const image = /** @type {HTMLImageElement} */ (document.getElementById("logo"));
  const file = files[theme] ?? files.light ?? files.dark;
  image.hidden = file === undefined;
  image.alt = alt;
  if (file !== undefined) image.src = file;
  const ground = getComputedStyle(document.body).backgroundColor;
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", ground);
}

/**
 * Set custom properties in a constructed style sheet, which needs no exception in a content security
 * policy.
 *
 * @param {Partial<Record<Theme, Record<string, string>>>} colors
 */
function useColors(colors) {
  const sheet = new CSSStyleSheet();
  for (const theme of /** @type {Theme[]} */ (["light", "dark"])) {
    sheet.insertRule(`:root[data-theme="${theme}"] {}`);
    const { style } = /** @type {CSSStyleRule} */ (sheet.cssRules[0]);
    for (const [name, color] of Object.entries(colors[theme] ?? {})) {
      const property = COLORS[name];
      if (property !== undefined && CSS.supports("color", color)) style.setProperty(property, color);
      else console.warn(`page.json: not a colour of the page: ${name}: ${color}`);
    }
  }
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

/**
 * @param {{family: string, files: Record<string, string>}} font
 * @throws {Error} a file has no address, or cannot be loaded
 */
async function useFont({ family, files }) {
  const faces = Object.entries(files).map(([weight, file]) => {
    const address = JSON.stringify(new URL(file, location.href).href);
    return new FontFace(family, `url(${address})`, { weight, display: "swap" });
  });
  for (const face of faces) document.fonts.add(face);
  const { style } = document.documentElement;
  const system = getComputedStyle(document.documentElement).getPropertyValue("--font");
  style.setProperty("--font", `${JSON.stringify(family)}, ${system}`);
  await Promise.all(faces.map((face) => face.load()));
}
