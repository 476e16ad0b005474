/** Builds dist/: the library, the kiosk page and the operator's pages. */

import { existsSync } from "node:fs";
import { cp, mkdir, readFile, readdir, rm } from "node:fs/promises";
import { build, transform } from "esbuild";

const out = process.argv[2] ?? "dist";

/** Turns a style sheet that a script imports into its minified text. */
const styleText = {
  name: "style-text",
  setup({ onLoad }) {
    onLoad({ filter: /lib[\\/].*\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), {
        loader: "css",
        minify: true,
        target: "chrome111",
      });
      return { contents: code, loader: "text" };
    });
  },
};

/** Leaves the library out of the entries that build on it: a page loads it once. */
const libraryApart = {
  name: "library-apart",
  setup({ onResolve }) {
    onResolve({ filter: /lib[\\/]index\.js$/ }, ({ kind }) => {
      return kind === "entry-point" ? undefined : { path: "./lunapass.esm.js", external: true };
    });
  },
};

const languages = (await readdir("src/page/texts")).map((file) => file.replace(".json", ""));

/** Makes the module `languages`: for each language a function that loads its texts. */
const languageLoaders = {
  name: "language-loaders",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^languages$/ }, ({ path }) => ({ path, namespace: "languages" }));
    onLoad({ filter: /.*/, namespace: "languages" }, () => {
      const loaders = languages.map((name) => `${name}: () => import("./texts/${name}.js")`);
      return { contents: `export default {${loaders}}` };
    });
  },
};

/** @type {import("esbuild").BuildOptions} */
const common = {
  bundle: true,
  minify: true,
  charset: "utf8",
  legalComments: "none",
  target: ["chrome111", "firefox113", "safari16.4"],
  outdir: out,
  plugins: [styleText],
};

await rm(out, { recursive: true, force: true });
await mkdir(`${out}/texts`, { recursive: true });
await Promise.all([
  build({
    ...common,
    format: "esm",
    entryPoints: {
      "lunapass.esm": "src/lib/index.js",
      page: "src/page/page.js",
      status: "src/status/status.js",
      setup: "src/setup/setup.js",
    },
  }),
  build({
    ...common,
    format: "esm",
    entryPoints: { element: "src/embed/element.js", react: "src/embed/react.js" },
    plugins: [libraryApart, languageLoaders],
    external: ["react", "./texts/*"],
  }),
  build({
    ...common,
    format: "esm",
    entryPoints: languages.map((name) => `src/page/texts/${name}.json`),
    outdir: `${out}/texts`,
  }),
  build({ ...common, format: "iife", entryPoints: ["src/classic/*.js"] }),
  build({
    ...common,
    bundle: false,
    plugins: [],
    entryPoints: {
      lunapass: "src/lib/renderer.css",
      page: "src/page/page.css",
      status: "src/status/status.css",
      setup: "src/setup/setup.css",
    },
  }),
  cp("src/page/index.html", `${out}/index.html`),
  cp("src/status/status.html", `${out}/status.html`),
  cp("src/setup/setup.html", `${out}/setup.html`),
  cp("src/page/icon.svg", `${out}/icon.svg`),
  cp("src/page/page.json", `${out}/page.json`),
  cp("src/page/texts", `${out}/texts`, { recursive: true }),
]);

/** The optional face detector; its megabytes are not in the repository. */
const [human, wasm] = ["@vladmandic/human", "@tensorflow/tfjs-backend-wasm"];
if (existsSync(`node_modules/${human}`) && existsSync(`node_modules/${wasm}`)) {
  const files = [
    `${human}/models/blazeface.json`,
    `${human}/models/blazeface.bin`,
    `${wasm}/dist/tfjs-backend-wasm.wasm`,
    `${wasm}/dist/tfjs-backend-wasm-simd.wasm`,
  ];
  await build({
    ...common,
    format: "esm",
    logLevel: "error",
    entryPoints: { "detector/detector": "src/detector/detector.js" },
  });
  for (const file of files) {
    await cp(`node_modules/${file}`, `${out}/detector/${file.split("/").at(-1)}`);
  }
}
