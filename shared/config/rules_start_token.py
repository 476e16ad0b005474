"""Rules about start tokens: where the key comes from, and who remembers what was used."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from shared.config.findings import Finding, error, warning
from shared.config.rules_plugins import HTTP, is_address
from shared.config.service import Config

PLACE = "[MIDDLEWARES.REQUEST.StartToken]"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def start_token(config: Config) -> Iterator[Finding]:
    """Require one key source over a safe connection, and a shared store for several cells."""
    plugin = config.MIDDLEWARES.REQUEST.StartToken
    args = plugin.args
    if not plugin.isEnabled:
        yield from _counted_without_tokens(config)
        if args.key is not None or args.jwksUrl is not None:
            yield warning(PLACE, "has args but is off; set isEnabled = 1 to use them")
        return
    if (args.key is None) == (args.jwksUrl is None):
        yield error(PLACE, "needs args.key or args.jwksUrl, and not both; give one of them")
        return
    if args.jwksUrl is not None:
        if not is_address(args.jwksUrl, HTTP):
            yield error(
                PLACE, "args.jwksUrl is not an address; allowed: https://HOST/PATH; correct it"
            )
            return
        address = urlsplit(args.jwksUrl)
        if address.scheme != "https" and address.hostname not in LOOPBACK:
            yield error(PLACE, "args.jwksUrl is not https, so others could change the keys")
        if args.algorithm.startswith("HS"):
            yield error(
                PLACE,
                f"args.algorithm is {args.algorithm}, which a JWK set cannot have; allowed with "
                "args.jwksUrl: RS256, ES256, EdDSA",
            )
    if config.TRANSPORT.cells > 1 and not config.SESSION_STORE.connectionString:
        yield error(
            PLACE,
            "is on with several cells and no session store, so each gateway would accept a token "
            "once; set [SESSION_STORE] connectionString",
        )


def _counted_without_tokens(config: Config) -> Iterator[Finding]:
    for key in ("refusedSessionsPerPerson", "refusedSessionsPerKiosk"):
        if getattr(config.LIMITS, key):
            yield error(
                f"[LIMITS] {key}",
                f"counts by the claims of start tokens, but {PLACE} is off; turn it on, or set 0",
            )
