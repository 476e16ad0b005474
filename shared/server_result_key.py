"""The relying party's credential as the configuration names it: read, and long enough."""

from __future__ import annotations

from pydantic import SecretStr

from shared.config.plugins import ServerResultArgs
from shared.errors import ConfigError
from shared.text_files import value_or_file

PLACE = "[MIDDLEWARES.REQUEST.ServerResult] args.key"
MIN_BYTES = 32
"""As random text it cannot be guessed, so wrong tries need no limit of their own."""


def resolve_result_key(args: ServerResultArgs) -> ServerResultArgs:
    """Replace ``file:PATH`` by the content of the file.

    Raises:
        ConfigError: the file cannot be read, or the key is too short.
    """
    if args.key is None:
        return args
    text = value_or_file(args.key.get_secret_value(), PLACE)
    if len(text.encode()) < MIN_BYTES or not text.isascii() or not text.isprintable():
        raise ConfigError(
            f"{PLACE}: allowed: at least {MIN_BYTES} printable ASCII characters; make one with: "
            "lunapass config key"
        )
    return args.model_copy(update={"key": SecretStr(text)})
