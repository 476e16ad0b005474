"""Credentials that other servers send as ``Authorization: Bearer``: read, and long enough."""

from pydantic import SecretStr

from shared.errors import ConfigError
from shared.text_files import value_or_file

RESULT_PLACE = "[MIDDLEWARES.REQUEST.ServerResult] args.key"
METRICS_PLACE = "[METRICS] token"
MIN_BYTES = 32
"""A random text of this length cannot be guessed, so wrong tries are not limited."""


def resolve_bearer_key(key: SecretStr, place: str) -> SecretStr:
    """Replace ``file:PATH`` by the content of the file.

    Raises:
        ConfigError: the file cannot be read, or the key is too short.
    """
    text = value_or_file(key.get_secret_value(), place)
    if len(text.encode()) < MIN_BYTES or not text.isascii() or not text.isprintable():
        raise ConfigError(
            f"{place}: allowed: at least {MIN_BYTES} printable ASCII characters; make one with: "
            "lunapass config key"
        )
    return SecretStr(text)
