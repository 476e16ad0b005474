"""Makes start tokens as a relying party's server does, for tests of a service."""

import secrets
from pathlib import Path

import jwt
from jwt.algorithms import get_default_algorithms

from shared.config.loading import load
from shared.errors import ConfigError
from shared.process.clock import SYSTEM, Clock
from shared.signing import KEY_BYTES, KINDS
from shared.start_keys import require_fit, resolve_start_key
from shared.text_files import read_text

ID_BYTES = 16
SECONDS = 120


class StartTokenMaker:
    """Signs start tokens that a service accepts under its configuration, each once.

    Args:
        config_path: the service's configuration; None takes that of the command line's default.
        key_file: the key that signs: a private key in PEM, or with HS256 to HS512 a shared secret;
            None takes the configuration's secret.
        key_id: id of that key in a JWK set (header ``kid``).

    Raises:
        ConfigError: the configuration or a file cannot be read, or its key cannot sign.
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
            self._key = _signing_key(args.algorithm, key_file)
        elif args.key is not None and args.algorithm.startswith("HS"):
            self._key = args.key.get_secret_value()
        else:
            raise ConfigError(
                f"[MIDDLEWARES.REQUEST.StartToken] has no shared secret for {args.algorithm}; "
                "give the relying party's private key with --key-file"
            )

    def make(self, seconds: int | None = None, **claims: str | None) -> str:
        """Sign a start token; claims of None are left out, but ``iss`` is then the required issuer.

        Without ``seconds`` it lives ``SECONDS``, or less if the service allows less.

        Raises:
            ConfigError: the service does not allow that lifetime.
        """
        longest = self._args.maxSeconds
        if seconds is None:
            seconds = min(SECONDS, longest)
        if not 0 < seconds <= longest:
            raise ConfigError(
                f"the lifetime is {seconds} s; allowed: 1 to {longest}, "
                "[MIDDLEWARES.REQUEST.StartToken] args.maxSeconds"
            )
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


def _signing_key(algorithm: str, file: Path) -> str:
    text = read_text(file).strip()
    if algorithm in KEY_BYTES:
        require_fit(algorithm, text, str(file))
        return text
    try:
        key = get_default_algorithms()[algorithm].prepare_key(text)
        if not isinstance(key.public_key(), KINDS[algorithm]):
            raise ValueError("unsupported key type")
    except Exception as error:  # the parsers raise various types for invalid keys
        raise ConfigError(
            f"{file}: does not fit {algorithm}; give the relying party's private key in PEM"
        ) from error
    return text
