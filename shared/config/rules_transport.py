"""Rules for the lines between roles: a line to another machine needs configured keys."""

from collections.abc import Iterator

from shared.config.findings import Finding, error, warning
from shared.config.service import Config, TransportKeysSection
from shared.wire.lines import LINES, ROLES, Line


def addresses(config: Config) -> Iterator[Finding]:
    """Refuse a line to another machine without configured keys, and other kinds of addresses.

    The other machine does not know keys that this one generates. An abstract socket
    (``ipc://@name``) has no owner, so any user could bind it before the role does.
    """
    for line in LINES:
        address: str = getattr(config.TRANSPORT, line.key)
        if address.startswith("tcp://"):
            yield from _keys(config.TRANSPORT.KEYS, line, address)
        elif address and (not address.startswith("ipc://") or address.startswith("ipc://@")):
            yield error(
                f"[TRANSPORT] {line.key}",
                f"is {address[:60]!r}; allowed: ipc://PATH or tcp://HOST:PORT; correct it",
            )


def _keys(keys: TransportKeysSection, line: Line, address: str) -> Iterator[Finding]:
    """Require both public keys of a line, and the secret key of one end: that on this machine."""
    ends = (line.server, line.client)
    missing = [f"{role}Public" for role in ends if not getattr(keys, f"{role}Public")]
    secrets = [f"{role}Secret" for role in ends]
    if not any(getattr(keys, name).get_secret_value() for name in secrets):
        missing.append(" or ".join(secrets))
    if missing:
        yield error(
            f"[TRANSPORT] {line.key}",
            f"is {address[:60]!r}, where anyone could send messages and get a verdict; allowed: "
            f"with keys, but [TRANSPORT.KEYS] lacks {', '.join(missing)}; make them with: "
            "lunapass config key --transport DIRECTORY",
        )


def slab_directory(config: Config) -> Iterator[Finding]:
    """Warn about a key that only older versions use."""
    if config.TRANSPORT.slabDirectory:
        yield warning(
            "[TRANSPORT] slabDirectory",
            "has no effect: the memory of the frames has no path; remove it",
        )


def pairs(config: Config) -> Iterator[Finding]:
    """Refuse one key pair for two roles."""
    keys = config.TRANSPORT.KEYS
    public = [text for role in ROLES if (text := getattr(keys, f"{role}Public"))]
    if len(set(public)) < len(public):
        yield error(
            "[TRANSPORT.KEYS]",
            "has the same public key for two roles, so one could impersonate the other; give each "
            "role its own key pair",
        )
