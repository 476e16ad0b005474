"""Verify a verdict's token in Python: pip install 'pyjwt[crypto]'.

Usage: python verify.py TOKEN SECRET            shared secret (HS256, HS384, HS512)
       python verify.py TOKEN --jwks URL        public key of the service (RS256, ES256, EdDSA)
"""

import sys
import time

import jwt

ISSUER = "lunapass"
SECRETS = ["HS256", "HS384", "HS512"]
PUBLIC_KEYS = ["RS256", "ES256", "EdDSA"]

seen = {}  # jti -> exp; with several processes keep this in your database


def verify(token, key, algorithms):
    """Return the claims of a good token; raise jwt.InvalidTokenError for any other."""
    claims = jwt.decode(
        token,
        key,
        algorithms=algorithms,  # never taken from the token itself
        issuer=ISSUER,
        options={"require": ["exp", "iat", "jti", "sid", "iss"]},
    )
    if claims["isOk"] is not True:
        raise jwt.InvalidTokenError("the verdict is not positive")
    now = time.time()
    for jti in [jti for jti, exp in seen.items() if exp < now]:
        del seen[jti]
    if claims["jti"] in seen:
        raise jwt.InvalidTokenError("the token was used before")
    seen[claims["jti"]] = claims["exp"]
    return claims  # compare claims["sid"] with the session your kiosk began


if __name__ == "__main__":
    token, *rest = sys.argv[1:]
    if rest[0] == "--jwks":
        key, algorithms = jwt.PyJWKClient(rest[1]).get_signing_key_from_jwt(token).key, PUBLIC_KEYS
    else:
        key, algorithms = rest[0], SECRETS
    try:
        print("accepted, session", verify(token, key, algorithms)["sid"])
    except jwt.InvalidTokenError as error:
        sys.exit(f"refused: {error}")
