// Verify a token in Node.js 18 or newer, without any package.
//
// Usage: node verify.mjs TOKEN SECRET          shared secret (HS256, HS384, HS512)
//        node verify.mjs TOKEN --jwks URL      public key of the service (RS256, ES256, EdDSA)
//        node verify.mjs ... --policy FILE     JSON of the policy that you require
//        node verify.mjs ... --expect FILE     JSON of aud, sub, nonce and kiosk of your start token

import crypto from "node:crypto";
import fs from "node:fs";
import { pathToFileURL } from "node:url";
import { isDeepStrictEqual } from "node:util";

const ISSUER = "lunapass";
const FETCH_MS = 10_000;
const SECRET_BYTES = 32; // the service requires as many
const HASH = { HS256: "sha256", HS384: "sha384", HS512: "sha512", RS256: "sha256", ES256: "sha256" };

const BOUND = ["aud", "sub", "nonce", "kiosk"];
const LISTS = ["digest", "rules", "models"];
const TABLES = ["plugins", "limits"];

const seen = new Map(); // jti -> exp; with several processes, store this in your database

const isTable = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const parse = (part) => JSON.parse(Buffer.from(part, "base64url").toString("utf8"));

/** Returns a shared secret; throws for a short or missing one, which anyone can guess. */
export function requireSecret(secret) {
  if (Buffer.byteLength(secret ?? "") < SECRET_BYTES)
    throw new Error(`a shared secret must have at least ${SECRET_BYTES} bytes`);
  return secret;
}

function signatureIsGood(algorithm, key, data, signature) {
  if (algorithm.startsWith("HS")) {
    const expected = crypto.createHmac(HASH[algorithm], requireSecret(key)).update(data).digest();
    return expected.length === signature.length && crypto.timingSafeEqual(expected, signature);
  }
  if (algorithm === "EdDSA") return crypto.verify(null, data, key, signature);
  if (algorithm === "ES256")
    return crypto.verify(HASH[algorithm], data, { key, dsaEncoding: "ieee-p1363" }, signature);
  return crypto.verify(HASH[algorithm], data, key, signature);
}

/** The claims of a good token; throws for any other. `key(kid)` gives the key. */
export async function verify(token, key, algorithms) {
  const parts = token.split(".");
  if (parts.length !== 3) throw new Error("this is no token");
  const header = parse(parts[0]);
  // The algorithm must be one of yours: a token may claim any, even "none".
  if (!algorithms.includes(header.alg)) throw new Error("another algorithm");
  const data = Buffer.from(`${parts[0]}.${parts[1]}`);
  const signature = Buffer.from(parts[2], "base64url");
  if (!signatureIsGood(header.alg, await key(header.kid), data, signature))
    throw new Error("the signature is wrong");
  const claims = parse(parts[1]);
  const now = Date.now() / 1000;
  if (claims.iss !== ISSUER) throw new Error("another issuer");
  if (typeof claims.exp !== "number" || claims.exp <= now) throw new Error("the token is too old");
  if (claims.isOk !== true) throw new Error("the verdict is not positive");
  for (const [jti, exp] of seen) if (exp < now) seen.delete(jti);
  for (const name of ["jti", "sid"])
    if (typeof claims[name] !== "string" || !claims[name]) throw new Error(`${name} is empty`);
  if (seen.has(claims.jti))
    throw new Error("the token was used before");
  seen.set(claims.jti, claims.exp);
  return claims; // compare claims.sid with the session that your kiosk started
}

/**
 * Throws unless the token is bound to exactly what you expect. A session that began with a start
 * token has its aud, sub, nonce and kiosk in this token. One that is bound to something that you do
 * not expect is refused, too.
 */
export function checkBound(claims, expected) {
  const unknown = Object.keys(expected).filter((name) => !BOUND.includes(name));
  if (unknown.length) throw new Error(`you expect unknown claims: ${unknown}`);
  for (const name of BOUND)
    if (!isDeepStrictEqual(claims[name], expected[name]))
      throw new Error(`the token is for another ${name}`);
}

/**
 * Returns left, top, right and bottom of the judged face, as fractions of the best shot's width and
 * height. Compare only this face with other images: the best shot may show a second, larger one.
 */
export function judgedFace(claims) {
  const { faceRect: face, frameRect: frame } = claims.details.faceFramePosition;
  if (!(face.width > 0 && face.height > 0 && frame.width > 0 && frame.height > 0))
    throw new Error("the token does not say which face was judged");
  const edges = [
    face.x / frame.width,
    face.y / frame.height,
    (face.x + face.width) / frame.width,
    (face.y + face.height) / frame.height,
  ];
  return edges.map((edge) => Math.min(Math.max(edge, 0), 1)); // the box may exceed the image
}

/** Throws if another policy than the required one judged the session. */
export function checkPolicy(claims, required) {
  for (const [key, value] of Object.entries(required)) {
    const fits = LISTS.includes(key) ? Array.isArray(value) : TABLES.includes(key) && isTable(value);
    if (!fits) throw new Error(`the policy that you require has an unknown key or type: ${key}`);
  }
  const policy = claims.policy ?? {};
  // Other rules may have judged frames before a reload: all of them must be allowed.
  for (const judged of [policy, ...(policy.others ?? [])])
    for (const key of LISTS)
      if (key in required && !required[key].includes(judged[key]))
        throw new Error(`another policy: ${key}`);
  for (const [name, ranges] of Object.entries(required.plugins ?? {})) {
    const plugin = (policy.plugins ?? []).find((plugin) => plugin.name === name);
    if (!plugin) throw new Error(`another policy: ${name} was off`);
    checkRanges(name, plugin.args, ranges);
  }
  checkRanges("limits", policy.limits ?? {}, required.limits ?? {});
}

/** Compares each value with its [minimum, maximum]; switches are 0 and 1. */
function checkRanges(name, values, ranges) {
  if (!isTable(ranges)) throw new Error(`the policy that you require has no ranges for ${name}`);
  for (const [key, range] of Object.entries(ranges)) {
    const isRange = Array.isArray(range) && range.length === 2 && range.every(Number.isFinite);
    if (!isRange) throw new Error(`the policy that you require has no range for ${name} ${key}`);
    const [minimum, maximum] = range;
    const value = ["number", "boolean"].includes(typeof values[key]) ? Number(values[key]) : NaN;
    if (!(minimum <= value && value <= maximum))
      throw new Error(`another policy: ${name} ${key}`);
  }
}

async function publicKey(url, kid) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(FETCH_MS) });
  if (!answer.ok) throw new Error(`the keys cannot be fetched: ${answer.status}`);
  const { keys } = await answer.json();
  const found = keys.find((key) => kid === undefined || key.kid === kid);
  if (!found) throw new Error("no such key");
  return crypto.createPublicKey({ key: found, format: "jwk" });
}

/** Takes an option and its value out of the words; returns the value. */
function takeOption(words, name) {
  const at = words.indexOf(name);
  if (at < 0) return undefined;
  if (at + 1 === words.length) throw new Error(`${name} needs a value`);
  return words.splice(at, 2)[1];
}

/** The JSON object in a file; an empty one without a file. */
function readObject(path) {
  if (path === undefined) return {};
  const value = JSON.parse(fs.readFileSync(path, "utf8"));
  if (!isTable(value)) throw new Error(`${path} is not a JSON object`);
  return value;
}

/** Verifies the token that the command line names; throws for any other. */
async function main(words) {
  const required = readObject(takeOption(words, "--policy"));
  const expected = readObject(takeOption(words, "--expect"));
  const url = takeOption(words, "--jwks");
  // A misspelt option would skip its check.
  const count = url === undefined ? 2 : 1;
  if (words.length !== count || words.some((word) => !word || word.startsWith("--")))
    throw new Error("usage: TOKEN SECRET or TOKEN --jwks URL, then --policy, --expect FILE");
  const [token, secret] = words;
  const claims =
    url === undefined
      ? await verify(token, () => secret, ["HS256", "HS384", "HS512"])
      : await verify(token, (kid) => publicKey(url, kid), ["RS256", "ES256", "EdDSA"]);
  checkBound(claims, expected);
  checkPolicy(claims, required);
  const face = judgedFace(claims).map((edge) => edge.toFixed(4));
  console.log(`accepted, session ${claims.sid}, face at ${face.join(", ")}`);
}

// Node resolves symlinks and escapes the path in import.meta.url.
const program = process.argv[1] && pathToFileURL(fs.realpathSync(process.argv[1])).href;
if (import.meta.url === program) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(`refused: ${error.message}`);
    process.exit(1);
  });
}
