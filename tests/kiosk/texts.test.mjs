import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { HINTS } from "../../kiosk/src/lib/codes.js";
import { WORDS } from "../../kiosk/src/lib/words.js";

const folder = new URL("../../kiosk/src/page/texts/", import.meta.url);
const read = async (name) => JSON.parse(await readFile(new URL(name, folder), "utf8"));

/** Names of all texts, also of those in tables. */
function names(value, before = "") {
  return Object.entries(value).flatMap(([key, item]) => {
    return typeof item === "object" ? names(item, `${before}${key}/`) : [before + key];
  });
}

test("every language has every text, and none is empty", async () => {
  const english = await read("en.json");
  const files = await readdir(folder);
  assert.ok(files.length >= 3);
  for (const file of files) {
    const texts = await read(file);
    assert.deepEqual(names(texts).sort(), names(english).sort(), file);
    assert.ok(["ltr", "rtl"].includes(texts.dir));
    assert.ok(!JSON.stringify(texts).includes('""'), file);
    assert.match(texts.hints.step, /\{number\}.*\{total\}/);
  }
});

test("every hint has words, and the page's English is the library's", async () => {
  const { hints } = await read("en.json");
  for (const hint of HINTS) assert.ok(WORDS[hint], hint);
  assert.deepEqual(hints, WORDS);
});

test("every code that ends a session has words of its own", async () => {
  const { failures } = await read("en.json");
  const codes = ["40", "60", "69", "70", "71", "72", "73"];
  assert.deepEqual(Object.keys(failures).filter((code) => code !== "other"), codes);
});

test("the page offers exactly the languages there are", async () => {
  const html = await readFile(new URL("../index.html", folder), "utf8");
  const offered = [...html.matchAll(/<option value="(\w+)"/g)].map(([, name]) => `${name}.json`);
  assert.deepEqual(offered.sort(), (await readdir(folder)).sort());
});

test("every error of the library has words on the page", async () => {
  const { problems } = await read("en.json");
  const source = await readFile(new URL("../../lib/errors.js", folder), "utf8");
  const codes = [...source.matchAll(/^ \* \| ([a-z.]+) +\|/gm)].map(([, code]) => code);
  const own = codes.filter((code) => !["code", "state", "aborted"].includes(code));
  const shown = [...own, "session.too-many-refusals"]; // which the server says
  assert.deepEqual(shown.sort(), Object.keys(problems).filter((c) => c !== "other").sort());
});
