"""Makes start tokens as a relying party's server does, for tests of a service."""

from __future__ import annotations

import secrets
from pathlib import Path

import jwt

from shared.config.loading import load
from shared.errors import ConfigError
from shared.process.clock import SYSTEM, Clock
from shared.start_keys import resolve_start_key
from shared.text_files import read_text

ID_BYTES = 16
SECONDS = 120


class StartTokenMaker:
    """Signs start tokens that a service accepts under its configuration, each once.

    Args:
        config_path: the service's configuration; None takes that of the command line's default.
        key_file: private key in PEM that signs; with HS256 to HS512 the configuration's key may.
        key_id: id of that key in a JWK set (header ``kid``).
        clock: gives ``iat``.

    Raises:
        ConfigError: the configuration or a file cannot be read, or there is no key to sign with.
    """

    def __init__(
        self,
        config_path: Path | None,
        key_file: Path | None = None,
        key_id: str | None = None,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        self._args = args = resolve_start_key(load(config_path).MIDDLEWARES.REQUEST.StartToken.args)
        self._headers = None if key_id is None else {"kid": key_id}
        if key_file is not None:
            self._key = read_text(key_file)
        elif args.key is not None and args.algorithm.startswith("HS"):
            self._key = args.key.get_secret_value()
        else:
            raise ConfigError(
                f"[MIDDLEWARES.REQUEST.StartToken] has no shared secret for {args.algorithm}; "
                "give the relying party's private key with --key-file"
            )

    def make(self, seconds: int = SECONDS, **claims: str | None) -> str:
        """Sign a start token.

        Args:
            seconds: its lifetime.
            claims: further claims; None leaves one out, but ``iss`` is then the required issuer.
        """
        now = int(self._clock.wall())
        optional = {**claims, "iss": claims.get("iss") or self._args.issuer}
        required = {
            "aud": self._args.audience,
            "iat": now,
            "exp": now + seconds,
            "jti": secrets.token_urlsafe(ID_BYTES),
        }
        given = {name: value for name, value in optional.items() if value is not None}
        return jwt.encode(
            required | given, self._key, algorithm=self._args.algorithm, headers=self._headers
        )
