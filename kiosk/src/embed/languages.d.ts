declare module "languages" {
  type Texts = import("../page/texts.js").Texts;
  /** For each language a function that loads its texts; `build.mjs` makes this module. */
  const languages: Readonly<Record<string, () => Promise<{ default: Texts }>>>;
  export default languages;
}
