"""Verify a token in Python: pip install 'pyjwt[crypto]'.

Usage: python verify.py TOKEN SECRET            shared secret (HS256, HS384, HS512)
       python verify.py TOKEN --jwks URL        public key of the service (RS256, ES256, EdDSA)
       python verify.py ... --policy FILE       JSON of the policy that you require
       python verify.py ... --expect FILE       JSON of your start token's aud, sub, nonce, kiosk
"""

import json
import sys
import time

import jwt

ISSUER = "lunapass"
FETCH_SECONDS = 10
SECRET_BYTES = 32  # the service requires as many
SECRETS = ["HS256", "HS384", "HS512"]
PUBLIC_KEYS = ["RS256", "ES256", "EdDSA"]
BOUND = ("aud", "sub", "nonce", "kiosk")
POLICY = {"digest": list, "rules": list, "models": list, "plugins": dict, "limits": dict}

seen = {}  # jti -> exp; with several processes, store this in your database


def require_secret(secret):
    """Return a shared secret; raise ValueError for a short or empty one, which anyone can guess."""
    if len(secret.encode()) < SECRET_BYTES:
        raise ValueError(f"a shared secret must have at least {SECRET_BYTES} bytes")
    return secret


def verify(token, key, algorithms):
    """Return the claims of a valid token; raise jwt.InvalidTokenError for any other."""
    if not set(algorithms).isdisjoint(SECRETS):
        require_secret(key)
    claims = jwt.decode(
        token,
        key,
        algorithms=algorithms,  # never taken from the token itself
        issuer=ISSUER,
        options={"require": ["exp", "iat", "jti", "sid", "iss"], "verify_aud": False},
    )
    if claims.get("isOk") is not True:
        raise jwt.InvalidTokenError("the verdict is not positive")
    if not all(isinstance(claims[name], str) and claims[name] for name in ("jti", "sid")):
        raise jwt.InvalidTokenError("jti or sid is empty")
    now = time.time()
    for jti in [jti for jti, exp in seen.items() if exp < now]:
        del seen[jti]
    if claims["jti"] in seen:
        raise jwt.InvalidTokenError("the token was used before")
    seen[claims["jti"]] = claims["exp"]
    return claims  # compare claims["sid"] with the session that your kiosk started


def check_bound(claims, expected):
    """Raise jwt.InvalidTokenError unless the token is bound to exactly what you expect.

    A session that began with a start token has its aud, sub, nonce and kiosk in this token. One
    that is bound to something that you do not expect is refused, too.
    """
    if unknown := expected.keys() - set(BOUND):
        raise ValueError(f"you expect unknown claims: {sorted(unknown)}")
    for name in BOUND:
        if claims.get(name) != expected.get(name):
            raise jwt.InvalidTokenError(f"the token is for another {name}")


def judged_face(claims):
    """Return left, top, right and bottom of the judged face.

    They are fractions of the best shot's width and height. Compare only this face with other
    images: the best shot may show a second, larger one.
    """
    position = claims["details"]["faceFramePosition"]
    face, frame = position["faceRect"], position["frameRect"]
    if not all(rect[side] > 0 for rect in (face, frame) for side in ("width", "height")):
        raise jwt.InvalidTokenError("the token does not say which face was judged")
    edges = (
        face["x"] / frame["width"],
        face["y"] / frame["height"],
        (face["x"] + face["width"]) / frame["width"],
        (face["y"] + face["height"]) / frame["height"],
    )
    return tuple(min(max(edge, 0.0), 1.0) for edge in edges)  # the box may exceed the image


def check_policy(claims, required):
    """Raise jwt.InvalidTokenError if another policy than the required one judged the session."""
    for key, value in required.items():
        if not isinstance(value, POLICY.get(key, ())):
            raise ValueError(f"the policy that you require has an unknown key or type: {key}")
    policy = claims.get("policy") or {}
    # Other rules may have judged frames before a reload: all of them must be allowed.
    for judged in [policy, *policy.get("others", [])]:
        for key in ("digest", "rules", "models"):
            if key in required and judged.get(key) not in required[key]:
                raise jwt.InvalidTokenError(f"another policy: {key}")
    plugins = {plugin["name"]: plugin["args"] for plugin in policy.get("plugins", [])}
    for name, ranges in required.get("plugins", {}).items():
        if name not in plugins:
            raise jwt.InvalidTokenError(f"another policy: {name} was off")
        check_ranges(name, plugins[name], ranges)
    check_ranges("limits", policy.get("limits", {}), required.get("limits", {}))


def check_ranges(name, values, ranges):
    """Compare each value with its [minimum, maximum]; switches are 0 and 1."""
    for key, (minimum, maximum) in ranges.items():
        value = values.get(key)
        if not isinstance(value, int | float) or not minimum <= value <= maximum:
            raise jwt.InvalidTokenError(f"another policy: {name} {key}")


def take_option(words, name):
    """Take an option and its value out of the words; return the value, None without the option."""
    if name not in words:
        return None
    at = words.index(name)
    if at + 1 == len(words):
        raise ValueError(f"{name} needs a value")
    _, value = words[at : at + 2]
    del words[at : at + 2]
    return value


def read_object(path):
    """Return the JSON object in a file; an empty one without a file."""
    if path is None:
        return {}
    with open(path) as file:
        value = json.load(file)
    if not isinstance(value, dict):
        raise ValueError(f"{path} is not a JSON object")
    return value


def main(words):
    """Verify the token that the command line names; raise an error for any other."""
    required = read_object(take_option(words, "--policy"))
    expected = read_object(take_option(words, "--expect"))
    url = take_option(words, "--jwks")
    # A misspelt option would skip its check.
    if len(words) != (2 if url is None else 1) or any(w.startswith("--") or not w for w in words):
        raise ValueError("usage: TOKEN SECRET or TOKEN --jwks URL, then --policy, --expect FILE")
    if url is None:
        key, algorithms = words[1], SECRETS
    else:
        keys = jwt.PyJWKClient(url, timeout=FETCH_SECONDS)
        key, algorithms = keys.get_signing_key_from_jwt(words[0]).key, PUBLIC_KEYS
    claims = verify(words[0], key, algorithms)
    check_bound(claims, expected)
    check_policy(claims, required)
    face = ", ".join(f"{edge:.4f}" for edge in judged_face(claims))
    print(f"accepted, session {claims['sid']}, face at {face}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (jwt.PyJWTError, KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        sys.exit(f"refused: {error}")
