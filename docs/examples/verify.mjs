// Verify a verdict's token in Node.js 18 or newer, without any package.
//
// Usage: node verify.mjs TOKEN SECRET          shared secret (HS256, HS384, HS512)
//        node verify.mjs TOKEN --jwks URL      public key of the service (RS256, ES256, EdDSA)

import crypto from "node:crypto";

const ISSUER = "lunapass";
const HASH = { HS256: "sha256", HS384: "sha384", HS512: "sha512", RS256: "sha256", ES256: "sha256" };

const seen = new Map(); // jti -> exp; with several processes keep this in your database

const parse = (part) => JSON.parse(Buffer.from(part, "base64url").toString("utf8"));

function signatureIsGood(algorithm, key, data, signature) {
  if (algorithm.startsWith("HS")) {
    const expected = crypto.createHmac(HASH[algorithm], key).update(data).digest();
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
  // The algorithm must be one of yours: a token may claim any, "none" too.
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
  if (typeof claims.jti !== "string" || seen.has(claims.jti))
    throw new Error("the token was used before");
  seen.set(claims.jti, claims.exp);
  return claims; // compare claims.sid with the session your kiosk began
}

async function publicKey(url, kid) {
  const { keys } = await (await fetch(url)).json();
  const found = keys.find((key) => kid === undefined || key.kid === kid);
  if (!found) throw new Error("no such key");
  return crypto.createPublicKey({ key: found, format: "jwk" });
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const [token, first, url] = process.argv.slice(2);
  const [key, algorithms] =
    first === "--jwks"
      ? [(kid) => publicKey(url, kid), ["RS256", "ES256", "EdDSA"]]
      : [() => first, ["HS256", "HS384", "HS512"]];
  try {
    console.log("accepted, session", (await verify(token, key, algorithms)).sid);
  } catch (error) {
    console.error(`refused: ${error.message}`);
    process.exit(1);
  }
}
