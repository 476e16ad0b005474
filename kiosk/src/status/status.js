/** The operator's page: shows the service's statistics live. */

import { WORDS } from "../lib/words.js";
import { hintOf } from "../lib/codes.js";
import { pause } from "../lib/wait.js";
import { barRow, clockTime, LineChart, short } from "./chart.js";
import { Samples } from "./samples.js";

const PERIOD_MS = 2000;
const TIMEOUT_MS = 5000;

/** Names of codes without a hint for the person. */
const OTHERS = new Map([
  ["1", "Unreadable image"],
  ["2", "Image not judged"],
  ["18", "Head pose not judged"],
  ["25", "Mouth not judged"],
  ["27", "Glasses not judged"],
  ["29", "Frame quality not judged"],
  ["31", "Liveness not judged"],
  ["32", "Liveness too low"],
  ["33", "Liveness quality too low"],
  ["34", "External check failed"],
  ["37", "Aggregating"],
  ["40", "Session ended"],
  ["50", "Eyes not judged"],
  ["60", "Action failed"],
  ["69", "Another person"],
  ["70", "Virtual camera"],
  ["71", "Plugin failed"],
  ["72", "Repeated image"],
  ["73", "Too many refusals"],
  ["74", "Impossible reaction times"],
]);

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

const samples = new Samples();
const charts = {
  sessions: new LineChart(byId("sessions"), "Sessions"),
  frames: new LineChart(byId("frames"), "Frames", "/s"),
  latency: new LineChart(byId("latency"), "Response time", "ms"),
  drops: new LineChart(byId("drops"), "Dropped frames", "/s"),
};

async function read() {
  // location.href: document.baseURI may contain a password, which fetch refuses
  const answer = await fetch(new URL("statistics", location.href), {
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
  return /** @type {import("./samples.js").Statistics} */ (await answer.json());
}

async function refresh() {
  try {
    samples.add(await read());
    draw();
    showError("");
  } catch (error) {
    showError(`No statistics: ${/** @type {Error} */ (error).message}`);
  }
}

function draw() {
  const { last, times } = samples;
  if (last === null) return;
  charts.sessions.draw(
    [
      ["open", samples.values((s) => s.sessions.open)],
      ["without verdict", samples.values((s) => s.sessions.undecided)],
    ],
    times,
  );
  charts.frames.draw(
    [
      ["received", samples.rates((s) => s.frames.received)],
      ["judged", samples.rates((s) => s.frames.judged)],
    ],
    times.slice(1),
  );
  charts.latency.draw(
    [
      ["median", samples.values((s) => s.latencyMs.p50)],
      ["95 %", samples.values((s) => s.latencyMs.p95)],
      ["99 %", samples.values((s) => s.latencyMs.p99)],
    ],
    times,
  );
  const reasons = Object.keys(last.frames.dropped);
  charts.drops.draw(
    reasons.map((name) => [name, samples.rates((s) => s.frames.dropped[name])]),
    times.slice(1),
  );
  byId("recent").replaceChildren(...last.recentSessions.map(sessionRow));
  byId("checks").replaceChildren(...checkRows(last.failedChecks));
  byId("workers").replaceChildren(...last.workers.map(workerRow));
  drawFacts(last);
}

/** @param {import("./samples.js").Statistics["recentSessions"][number]} session */
function sessionRow({ at, outcome, seconds, frames, code, leading }) {
  const row = document.createElement("tr");
  row.dataset.outcome = outcome;
  for (const text of [clockTime(at), outcome, `${short(seconds)} s`, `${frames}`]) {
    row.insertCell().textContent = text;
  }
  const reasons = [...new Set([code, leading])].filter((reason) => reason !== null);
  const isAccepted = outcome === "accepted";
  row.insertCell().textContent = isAccepted ? "" : reasons.map((c) => named(String(c))).join("; ");
  return row;
}

/**
 * List the failed checks, the most frequent ones of the last minutes first.
 *
 * @param {Record<string, number>} totals
 */
function checkRows(totals) {
  const recent = new Map(samples.grown((s) => s.failedChecks));
  const most = Math.max(1, ...recent.values());
  const rows = Object.entries(totals).map(([code, total]) => ({ code, total, now: recent.get(code) ?? 0 }));
  return rows
    .sort((a, b) => b.now - a.now || b.total - a.total)
    .map(({ code, total, now }) => barRow(named(code), [short(now), short(total)], now / most));
}

/** @param {string} code */
const named = (code) => `${code} ${nameOf(code)}`;

/** @param {string} code */
function nameOf(code) {
  const { name } = hintOf([Number(code)]);
  return OTHERS.get(code) ?? (name === "checking" ? "" : (WORDS[name] ?? ""));
}

/** @param {import("./samples.js").Statistics["workers"][number]} worker */
function workerRow({ name, pid, state, jobs, judged, lost }) {
  const load = samples.load((s) => s.cpuSeconds[name]);
  const texts = [pid, state, jobs, judged, lost].map(String);
  const row = barRow(name, [...texts, percent(load)], load ?? 0);
  row.dataset.state = state;
  return row;
}

/** @param {number | null} share of one processor */
function percent(share) {
  return share === null ? "\u2013" : `${Math.round(100 * share)} %`;
}

/** @param {import("./samples.js").Statistics} last */
function drawFacts(last) {
  const minutes = Math.floor(last.uptimeSeconds / 60);
  const { accepted, refused, left } = last.sessions;
  const { received, judged, dropped } = last.frames;
  const droppedSum = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  /** @type {Record<string, string>} */
  const facts = {
    version: last.version,
    uptime: `${Math.floor(minutes / 60)} h ${minutes % 60} min`,
    accepted: short(accepted),
    refused: short(refused),
    left: short(left),
    received: short(received),
    judged: short(judged),
    dropped: short(droppedSum),
    gateway: percent(samples.load((s) => s.cpuSeconds.gateway)),
    slots: `${last.slots.free} of ${last.slots.total} free`,
    aggregator: last.aggregator.up ? "up" : "down",
  };
  for (const [id, text] of Object.entries(facts)) byId(id).textContent = text;
  byId("aggregator").dataset.state = last.aggregator.up ? "up" : "lost";
}

/** @param {string} text */
function showError(text) {
  const place = byId("fault");
  if (place.textContent !== text) place.textContent = text;
}

for (;;) {
  await refresh();
  await pause(PERIOD_MS);
}
