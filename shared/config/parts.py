"""What each role gets of the configuration: everything but the other roles' secrets.

A *generation* is a configuration that was read and checked once. All roles of a running service
work with parts of the same generation, whatever has become of the file since; the generation's
name is in their logs. A part also has what only the signing key can give, so that the role itself
needs no key: the public keys and the derived key of the session store.
"""

from __future__ import annotations

import hmac
import tomllib
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from pydantic import SecretStr, ValidationError

from shared import signing
from shared.config.base import Section
from shared.config.cells import of_cell
from shared.config.plugins import WsMiddlewares
from shared.config.schema import Path, is_confidential
from shared.config.service import Config, TransportKeysSection
from shared.config.toml import dump
from shared.errors import ConfigError
from shared.signing import Signer, derived_key
from shared.wire import curve
from shared.wire.lines import ROLES

OWNERS: dict[Path, tuple[str, ...]] = {
    ("LUNA_PASS", "JWT"): ("aggregator",),
    ("MIDDLEWARES", "REQUEST"): ("gateway",),
    ("MIDDLEWARES", "WS"): ("aggregator",),
    ("SESSION_STORE",): ("gateway", "aggregator"),
    ("TRACES",): ("gateway",),
    **{("TRANSPORT", "KEYS", f"{role}Secret"): (role,) for role in ROLES},
}
"""The roles that get a confidential key, or all of those below a section; a key that is not here
goes to no role, so that a new secret must be given to its role on purpose."""
NAME_DIGITS = 12
"""Hexadecimal digits of a generation's name: enough to tell apart what one operator ever writes."""

AnySection = TypeVar("AnySection", bound=Section)


@dataclass(frozen=True)
class Part:
    """One role's part of a generation.

    Attributes:
        role: the role.
        generation: name of the generation.
        config: the configuration; other roles' secrets are empty.
        jwks: public keys as a JWK set in JSON; empty but for a gateway.
        sealing_key: key of the records in the session store; empty but for a gateway with one.
    """

    role: str
    generation: str
    config: Config
    jwks: str = ""
    sealing_key: bytes = b""


def with_files_read(config: Config) -> Config:
    """Put the content of the key files into a configuration, so that a change of them waits too.

    Raises:
        ConfigError: a file cannot be read, may be read by others, or holds too short a secret.
    """
    jwt = signing.with_files_read(config.LUNA_PASS.JWT)
    luna_pass = config.LUNA_PASS.model_copy(update={"JWT": jwt})
    config = config.model_copy(update={"LUNA_PASS": luna_pass})
    return _with_keys(config, curve.with_files_read(config.TRANSPORT.KEYS))


def with_transport_keys(config: Config, running: Config | None = None) -> Config:
    """Make the key pairs of the roles for which the configuration names none.

    Args:
        config: the configuration, key files read.
        running: that of the generation in force, whose pairs are used again; None at a start.
    """
    before = (running or Config()).TRANSPORT.KEYS
    return _with_keys(config, curve.completed(config.TRANSPORT.KEYS, before))


def _with_keys(config: Config, keys: TransportKeysSection) -> Config:
    transport = config.TRANSPORT.model_copy(update={"KEYS": keys})
    return config.model_copy(update={"TRANSPORT": transport})


class Generation:
    """A configuration that was read and checked, and the parts of it.

    Args:
        config: that of the machine.

    Attributes:
        config: the same.
        name: differs from that of any other configuration, the keys of the lines aside: those made
            at a start differ where the configuration is the same. It is keyed with the signing
            key, so that nobody can test guesses of a password against it.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        key = config.LUNA_PASS.JWT.key.get_secret_value().encode()
        named = _with_keys(config, TransportKeysSection())
        text = dump(named, reveal=True, comments=False).encode()
        self.name = hmac.digest(key, text, "sha256").hex()[:NAME_DIGITS]

    def part(self, role: str, cell: int | None = None) -> Part:
        """Cut one role's part.

        Args:
            role: one of ``ROLES``.
            cell: number of its cell; None where there is but one.

        Raises:
            ConfigError: a key file cannot be read, or the signing key does not fit.
        """
        config = _cut(of_cell(self.config, cell), role, ())
        if role != "gateway":
            return Part(role, self.name, config)
        jwt = self.config.LUNA_PASS.JWT
        store = self.config.SESSION_STORE.connectionString
        sealing_key = derived_key(jwt, "session store") if store else b""
        return Part(role, self.name, config, Signer(jwt).jwks, sealing_key)


def _cut(section: AnySection, role: str, path: Path) -> AnySection:
    """Empty the confidential keys of a section that are not the role's."""
    changes: dict[str, Any] = {}
    for name, value in _items(section):
        place = (*path, name)
        if isinstance(value, Section):
            changes[name] = _cut(value, role, place)
        elif is_confidential(type(section).model_fields[name]) and role not in _owners(place):
            changes[name] = _emptied(value)
    return section.model_copy(update=changes)


def _items(section: Section) -> list[tuple[str, Any]]:
    own = [(name, getattr(section, name)) for name in type(section).model_fields]
    users = section.user_plugins if isinstance(section, WsMiddlewares) else {}
    return [*own, *users.items()]


def _owners(path: Path) -> tuple[str, ...]:
    return next((roles for place, roles in OWNERS.items() if path[: len(place)] == place), ())


def _emptied(value: Any) -> Any:
    """Return an empty value of the same type; no default, since the signing key has a known one."""
    if isinstance(value, SecretStr):
        return SecretStr("")
    return None if value is None else type(value)()


class _Packed(msgspec.Struct, forbid_unknown_fields=True):
    """A part as JSON; the configuration in it is TOML, which user's plugins may fill with dates."""

    role: str
    generation: str
    config: str
    jwks: str
    sealing_key: bytes


def pack(part: Part) -> bytes:
    """Write a part as JSON."""
    config = dump(part.config, reveal=True, comments=False)
    return msgspec.json.encode(
        _Packed(part.role, part.generation, config, part.jwks, part.sealing_key)
    )


def unpack(data: bytes, role: str) -> Part:
    """Read a part that ``pack`` wrote.

    Args:
        data: the JSON.
        role: whose part it must be.

    Raises:
        ConfigError: it is another role's, or not valid for this version.
    """
    try:
        packed = msgspec.json.decode(data, type=_Packed)
        config = Config.model_validate(tomllib.loads(packed.config))
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, ValidationError):
        # The cause would show values, and with them secrets.
        raise ConfigError(
            "the part of the configuration is not valid; was it made by another version? "
            "make it again: restart lunapass-config.service"
        ) from None
    if packed.role != role:
        raise ConfigError(
            f"the part of the configuration is that of the {packed.role}; allowed here: {role}"
        )
    return Part(role, packed.generation, config, packed.jwks, packed.sealing_key)
