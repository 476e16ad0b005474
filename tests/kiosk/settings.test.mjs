import assert from "node:assert/strict";
import { test } from "node:test";
import { readSettings, serviceAddress } from "../../kiosk/src/page/settings.js";

const ADDRESSES = [
  ["https://kiosk.example/", "wss://kiosk.example/ws"],
  ["http://127.0.0.1:8321/?lang=es#x", "ws://127.0.0.1:8321/ws"],
  ["https://kiosk.example:8443/index.html", "wss://kiosk.example:8443/ws"],
  ["https://site.example/liveness/", "wss://site.example/liveness/ws"],
  ["https://site.example/a/b/index.html?lang=es", "wss://site.example/a/b/ws"],
  ["http://[::1]:8321/", "ws://[::1]:8321/ws"],
];

for (const [page, socket] of ADDRESSES) {
  test(`the socket's URL follows from ${page}`, () => {
    assert.equal(serviceAddress({ href: page }), socket);
  });
}

test("the URL takes precedence over page.json", () => {
  const { language, restart, kiosk } = readSettings("?lang=es&restart=3", { kiosk: 1, lang: "ru" });
  assert.deepEqual([language, restart, kiosk], ["es", 3, true]);
});

test("only a kiosk returns to the start and to the idle screen by itself", () => {
  const { restart, idle } = readSettings("?kiosk=1");
  assert.ok(restart > 0 && idle > 0);
  assert.deepEqual([readSettings("").restart, readSettings("?idle=5").idle], [0, 0]);
  assert.equal(readSettings("?kiosk=1&restart=0&idle=0").restart, 0);
});

test("people may use only the listed controls", () => {
  assert.deepEqual(readSettings("?kiosk=1").controls, []);
  assert.deepEqual(readSettings("?kiosk=1&controls=zoom,camera,language").controls, [
    "zoom",
    "language",
  ]);
});

test("an invalid number counts as 0", () => {
  const { restart, adviceAfter } = readSettings("?restart=x&advice=-3");
  assert.deepEqual([restart, adviceAfter], [0, 0]);
  assert.equal(readSettings("").adviceAfter, 6000);
});

test("a time is at most a day, because a timer of more than 24 days fires immediately", () => {
  const { idle, timeout } = readSettings("?kiosk=1&idle=9999999&timeout=Infinity");
  assert.deepEqual([idle, timeout], [86_400, 86_400_000]);
});

test("without a configured theme the page follows the system", () => {
  const themes = ["?theme=light", "?theme=dark", "?theme=auto", ""];
  assert.deepEqual(themes.map((query) => readSettings(query).theme), ["light", "dark", null, null]);
});
