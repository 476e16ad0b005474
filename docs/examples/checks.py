"""Start a check on your server and accept its verdict: pip install 'pyjwt[crypto]'."""

import secrets
import time

import jwt
from verify import check_bound, require_secret, verify  # verify.py of this folder

AUDIENCE = "lunapass"
START_SECONDS = 120
FINISH_SECONDS = 600


class Checks:
    """The checks that you started; with several processes, store them in your database."""

    def __init__(self, start_key, verdict_key):
        """Take args.key of [MIDDLEWARES.REQUEST.StartToken] and the key of [LUNA_PASS.JWT]."""
        self._start_key = require_secret(start_key)
        self._verdict_key = require_secret(verdict_key)
        self._started = {}  # person -> claims that the verdict must have, and until when

    def start(self, person, kiosk):
        """Return a start token; it replaces an earlier one of this person."""
        now = int(time.time())
        nonce = secrets.token_urlsafe(16)
        bound = {"aud": AUDIENCE, "sub": person, "nonce": nonce, "kiosk": kiosk}
        self._started[person] = bound, now + FINISH_SECONDS
        unique = {"iat": now, "exp": now + START_SECONDS, "jti": secrets.token_urlsafe(16)}
        return jwt.encode({**bound, **unique}, self._start_key, algorithm="HS256")

    def finish(self, person, token):
        """Return the claims of this person's verdict; raise jwt.InvalidTokenError otherwise.

        Any try, also a failed one, ends the check: the next one needs a new start token.
        """
        bound, until = self._started.pop(person, (None, 0))
        if until <= time.time():
            raise jwt.InvalidTokenError("no check of this person is under way")
        claims = verify(token, self._verdict_key, ["HS256"])
        check_bound(claims, bound)
        return claims
