"""A role's part of the configuration: everything but the other roles' secrets.

A part also has what is derived from the signing key, so that the role does not need that key
itself: the public keys and the key of the session store.
"""

import tomllib
from dataclasses import dataclass

import msgspec
from pydantic import ValidationError

from shared.config.service import Config
from shared.config.toml import dump
from shared.errors import ConfigError


@dataclass(frozen=True)
class Part:
    """One role's part of a generation.

    Attributes:
        config: the configuration; other roles' secrets are empty.
        jwks: public keys as a JWK set in JSON, for the gateway.
        sealing_key: key for the records in the session store, for a gateway that has one.
    """

    role: str
    generation: str
    config: Config
    jwks: str = ""
    sealing_key: bytes = b""


class _Packed(msgspec.Struct, forbid_unknown_fields=True):
    """A part as JSON. Its configuration is TOML, since users' plugins may have dates in theirs."""

    role: str
    generation: str
    config: str
    jwks: str
    sealing_key: bytes


def pack(part: Part) -> bytes:
    """Return a part as JSON."""
    config = dump(part.config, reveal=True, comments=False)
    return msgspec.json.encode(
        _Packed(part.role, part.generation, config, part.jwks, part.sealing_key)
    )


def unpack(data: bytes, role: str) -> Part:
    """Parse a part that ``pack`` wrote.

    Raises:
        ConfigError: it is for another role, or not valid for this version.
    """
    try:
        packed = msgspec.json.decode(data, type=_Packed)
        config = Config.model_validate(tomllib.loads(packed.config))
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, ValidationError):
        # The cause would show values, which may be secrets.
        raise ConfigError(
            "the part of the configuration is not valid; was it made by another version? "
            "restart lunapass-config.service to make it again"
        ) from None
    if packed.role != role:
        raise ConfigError(
            f"the part of the configuration is for the {packed.role}; allowed here: {role}"
        )
    return Part(role, packed.generation, config, packed.jwks, packed.sealing_key)
