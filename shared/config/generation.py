"""Divides a configuration into the roles' parts.

A *generation* is a configuration that was read and validated once. All roles of a running service
use parts of the same generation, even if the file has changed since; they log its name.
"""

import hmac
from typing import Any, TypeVar

from pydantic import SecretStr

from shared.config.base import Section
from shared.config.cells import of_cell
from shared.config.key_files import ResolvedConfig
from shared.config.middlewares import WsMiddlewares
from shared.config.parts import Part
from shared.config.schema import Path, is_confidential
from shared.config.service import Config, TransportKeysSection
from shared.config.toml import dump
from shared.signing import Signer, derived_key
from shared.wire import curve
from shared.wire.lines import ROLES

OWNERS: dict[Path, tuple[str, ...]] = {
    ("LUNA_PASS", "JWT"): ("aggregator",),
    ("MIDDLEWARES", "REQUEST"): ("gateway",),
    ("MIDDLEWARES", "WS"): ("aggregator",),
    ("SESSION_STORE",): ("gateway", "aggregator"),
    ("METRICS",): ("gateway",),
    ("TRACES",): ("gateway",),
    **{("TRANSPORT", "KEYS", f"{role}Secret"): (role,) for role in ROLES},
}
"""The roles that get a confidential key, or all confidential keys of a section. No role gets a key
that is missing here: each new secret must be assigned."""
NAME_DIGITS = 12
"""Hexadecimal digits of a generation's name, enough to tell one operator's configurations apart."""

AnySection = TypeVar("AnySection", bound=Section)


def with_transport_keys(config: ResolvedConfig, running: Config | None = None) -> ResolvedConfig:
    """Generate a key pair for each role without one in the configuration.

    Pairs of the running generation are reused; at a start there is none.
    """
    before = (running or Config()).TRANSPORT.KEYS
    return _with_keys(config, curve.completed(config.TRANSPORT.KEYS, before))


def _with_keys(config: ResolvedConfig, keys: TransportKeysSection) -> ResolvedConfig:
    transport = config.TRANSPORT.model_copy(update={"KEYS": keys})
    return config.model_copy(update={"TRANSPORT": transport})


class Generation:
    """A configuration that was read and validated, and its parts.

    Its name is the digest of the configuration without the transport keys, which each start
    generates. It is keyed with the signing key, so that it cannot be used to test guesses of a
    password.
    """

    def __init__(self, config: ResolvedConfig) -> None:
        self.config = config
        key = config.LUNA_PASS.JWT.key.get_secret_value().encode()
        named = _with_keys(config, TransportKeysSection())
        text = dump(named, reveal=True, comments=False).encode()
        self.name = hmac.digest(key, text, "sha256").hex()[:NAME_DIGITS]

    def part(self, role: str, cell: int | None = None) -> Part:
        """Return one role's part.

        Raises:
            ConfigError: the signing key does not fit the algorithm.
        """
        config = _redacted(of_cell(self.config, cell), role, ())
        if role != "gateway":
            return Part(role, self.name, config)
        jwt = self.config.LUNA_PASS.JWT
        store = self.config.SESSION_STORE.connectionString
        sealing_key = derived_key(jwt, "session store") if store else b""
        return Part(role, self.name, config, Signer(jwt).jwks, sealing_key)


def _redacted(section: AnySection, role: str, path: Path) -> AnySection:
    """Return a section in which the confidential keys of other roles are empty."""
    changes: dict[str, Any] = {}
    for name, value in _items(section):
        place = (*path, name)
        if isinstance(value, Section):
            changes[name] = _redacted(value, role, place)
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
    """Return an empty value of the same type, not the default: that of the signing key is known."""
    if isinstance(value, SecretStr):
        return SecretStr("")
    return None if value is None else type(value)()
