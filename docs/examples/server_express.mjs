// Begin a check and verify its verdict in Express: npm install express
//
// START_KEY=... VERDICT_KEY=... PORT=3000 node server_express.mjs

import crypto from "node:crypto";
import express from "express";
import { checkBound, requireSecret, verify } from "./verify.mjs"; // of this folder

const START_KEY = requireSecret(process.env.START_KEY);
const VERDICT_KEY = requireSecret(process.env.VERDICT_KEY);
const AUDIENCE = "lunapass";
const START_SECONDS = 120;
const FINISH_SECONDS = 600;

const started = new Map(); // person -> claims that the verdict must have; or use your database
const logins = new Map(); // cookie -> person

const random = () => crypto.randomBytes(16).toString("base64url");
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Returns a start token; it replaces an earlier one of this person. */
function start(person, kiosk) {
  const now = Math.floor(Date.now() / 1000);
  const bound = { aud: AUDIENCE, sub: person, nonce: random(), kiosk };
  started.set(person, { bound, until: now + FINISH_SECONDS });
  const claims = { ...bound, iat: now, exp: now + START_SECONDS, jti: random() };
  const signed = `${base64({ alg: "HS256", typ: "JWT" })}.${base64(claims)}`;
  return `${signed}.${crypto.createHmac("sha256", START_KEY).update(signed).digest("base64url")}`;
}

/** Returns the claims of this person's verdict, and ends the check, also where it throws. */
async function finish(person, token) {
  const { bound, until } = started.get(person) ?? { until: 0 };
  started.delete(person);
  if (until <= Date.now() / 1000) throw new Error("no check of this person is under way");
  const claims = await verify(token, () => VERDICT_KEY, ["HS256"]);
  checkBound(claims, bound);
  return claims;
}

/** Finds who is logged in; never take the person from the request. */
function loggedIn(request, response, next) {
  const cookie = /(?:^|; )login=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];
  request.person = logins.get(cookie);
  if (request.person === undefined) response.sendStatus(401);
  else next();
}

const app = express();

/** Replace this by your own login: it believes any name. */
app.post("/login", (request, response) => {
  const cookie = random();
  logins.set(cookie, request.query.person);
  response.cookie("login", cookie, { httpOnly: true, sameSite: "strict" }).end();
});

/** Gives the page a start token; call start yourself for a kiosk without a login. */
app.post("/start", loggedIn, (request, response) => {
  response.type("text").send(start(request.person, "web"));
});

const body = express.text({ type: () => true, limit: "1mb" });

/** Takes the verdict's token, some 250 kB, from the page. */
app.post("/verdict", loggedIn, body, async (request, response) => {
  try {
    const claims = await finish(request.person, request.body);
    response.json({ person: claims.sub });
  } catch {
    response.sendStatus(403);
  }
});

app.listen(Number(process.env.PORT), "127.0.0.1");
