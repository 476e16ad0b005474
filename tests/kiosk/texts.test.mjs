import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { HINTS } from "../../kiosk/src/lib/codes.js";
import { WORDS } from "../../kiosk/src/lib/words.js";
import { counted } from "../../kiosk/src/page/plural.js";

const folder = new URL("../../kiosk/src/page/texts/", import.meta.url);
const read = async (name) => JSON.parse(await readFile(new URL(name, folder), "utf8"));

/** All texts by name, including those in tables; for plural forms the form `other`. */
function flat(value, before = "") {
  return Object.entries(value).flatMap(([key, item]) => {
    if (typeof item !== "object") return [[before + key, item]];
    return isPlural(item) ? [[before + key, item.other]] : flat(item, `${before}${key}/`);
  });
}

const isPlural = ({ other }) => typeof other === "string";
const placeholders = (text) => (text.match(/\{\w+\}/g) ?? []).sort();

test("every language has every text of the English file, with the same placeholders", async () => {
  const english = flat(await read("en.json"));
  for (const file of await readdir(folder)) {
    const texts = await read(file);
    const names = flat(texts).map(([name]) => name);
    assert.deepEqual(names, english.map(([name]) => name), file);
    assert.equal(texts.dir, file === "ar.json" ? "rtl" : "ltr");
    for (const [index, [name, text]] of flat(texts).entries()) {
      assert.ok(text.trim() === text && text !== "", `${file} ${name}`);
      assert.deepEqual(placeholders(text), placeholders(english[index][1]), `${file} ${name}`);
    }
  }
});

test("no text is left in English", async () => {
  const english = new Map(flat(await read("en.json")));
  const same = { "de.json": ["begin"] };
  for (const file of (await readdir(folder)).filter((name) => name !== "en.json")) {
    const equal = flat(await read(file)).filter(([name, text]) => text === english.get(name));
    const left = equal.map(([name]) => name).filter((name) => name !== "dir" && name !== "zoom");
    assert.deepEqual(left, same[file] ?? [], file);
  }
});

test("a text with a number has exactly the plural forms of its language", async () => {
  for (const file of await readdir(folder)) {
    const { leaving } = await read(file);
    const { pluralCategories } = new Intl.PluralRules(file.slice(0, 2)).resolvedOptions();
    assert.deepEqual(Object.keys(leaving).sort(), [...pluralCategories].sort(), file);
  }
});

test("a number selects its plural form", async () => {
  const shown = async (language, count) => {
    const { leaving } = await read(`${language}.json`);
    return counted(leaving, count, language);
  };
  assert.equal(await shown("en", 1), "Back to the start in 1 second");
  assert.equal(await shown("ru", 21), "Возврат в начало через 21 секунду");
  assert.equal(await shown("ru", 3), "Возврат в начало через 3 секунды");
  assert.equal(await shown("ar", 2), "العودة إلى البداية خلال ثانيتين");
  assert.equal(await shown("ar", 5), "العودة إلى البداية خلال 5 ثوانٍ");
});

test("every hint has a text, and the page's English is the library's", async () => {
  const { hints } = await read("en.json");
  for (const hint of HINTS) assert.ok(WORDS[hint], hint);
  assert.deepEqual(hints, WORDS);
});

test("every code that ends a session has its own text", async () => {
  const { failures } = await read("en.json");
  const codes = ["40", "60", "69", "70", "71", "72", "73"];
  assert.deepEqual(Object.keys(failures).filter((code) => code !== "other"), codes);
});

test("the page offers exactly the existing languages", async () => {
  const html = await readFile(new URL("../index.html", folder), "utf8");
  const offered = [...html.matchAll(/<option value="(\w+)"/g)].map(([, name]) => `${name}.json`);
  assert.ok(offered.length >= 9);
  assert.deepEqual(offered.sort(), (await readdir(folder)).sort());
});

test("every error of the library has a text on the page", async () => {
  const { problems } = await read("en.json");
  const source = await readFile(new URL("../../lib/errors.js", folder), "utf8");
  const codes = [...source.matchAll(/^ \* \| ([a-z.]+) +\|/gm)].map(([, code]) => code);
  const own = codes.filter((code) => !["code", "state", "aborted"].includes(code));
  const shown = [...own, "session.too-many-refusals"]; // sent by the server
  assert.deepEqual(shown.sort(), Object.keys(problems).filter((c) => c !== "other").sort());
});
