import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceAddress } from "../../kiosk/src/page/settings.js";

const ADDRESSES = [
  ["https://kiosk.example/", "wss://kiosk.example/ws"],
  ["http://127.0.0.1:8321/?lang=es#x", "ws://127.0.0.1:8321/ws"],
  ["https://kiosk.example:8443/index.html", "wss://kiosk.example:8443/ws"],
  ["https://site.example/liveness/", "wss://site.example/liveness/ws"],
  ["https://site.example/a/b/index.html?lang=es", "wss://site.example/a/b/ws"],
  ["http://[::1]:8321/", "ws://[::1]:8321/ws"],
];

for (const [page, socket] of ADDRESSES) {
  test(`the socket of ${page} is beside it`, () => {
    assert.equal(serviceAddress({ href: page }), socket);
  });
}
