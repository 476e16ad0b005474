"""Rules about the relying party's start tokens and its questions about results."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from shared.config.findings import Finding, error, warning
from shared.config.rules_plugins import HTTP, is_address
from shared.config.service import Config

START = "[MIDDLEWARES.REQUEST.StartToken]"
RESULT = "[MIDDLEWARES.REQUEST.ServerResult]"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def start_token(config: Config) -> Iterator[Finding]:
    """Require one key source over a safe connection, and a shared store for several cells."""
    plugin = config.MIDDLEWARES.REQUEST.StartToken
    args = plugin.args
    if not plugin.isEnabled:
        yield from _counted_without_tokens(config)
        if args.key is not None or args.jwksUrl is not None:
            yield warning(START, "has args but is off; set isEnabled = 1 to use them")
        return
    if (args.key is None) == (args.jwksUrl is None):
        yield error(START, "needs args.key or args.jwksUrl, and not both; give one of them")
        return
    if args.jwksUrl is not None:
        if not is_address(args.jwksUrl, HTTP):
            yield error(
                START, "args.jwksUrl is not an address; allowed: https://HOST/PATH; correct it"
            )
            return
        address = urlsplit(args.jwksUrl)
        if address.scheme != "https" and address.hostname not in LOOPBACK:
            yield error(START, "args.jwksUrl is not https, so others could change the keys")
        if args.algorithm.startswith("HS"):
            yield error(
                START,
                f"args.algorithm is {args.algorithm}, which a JWK set cannot have; allowed with "
                "args.jwksUrl: RS256, ES256, EdDSA",
            )
    yield from _needs_store(config, START, "each gateway would accept a token once")


def _counted_without_tokens(config: Config) -> Iterator[Finding]:
    for key in ("refusedSessionsPerPerson", "refusedSessionsPerKiosk"):
        if getattr(config.LIMITS, key):
            yield error(
                f"[LIMITS] {key}",
                f"counts by the claims of start tokens, but {START} is off; turn it on, or set 0",
            )


def server_result(config: Config) -> Iterator[Finding]:
    """Require a credential, and results that any gateway finds."""
    plugin = config.MIDDLEWARES.REQUEST.ServerResult
    if not plugin.isEnabled:
        return
    if plugin.args.key is None:
        yield error(RESULT, "needs args.key; make one with: lunapass config key")
    yield from _needs_store(config, RESULT, "a gateway knows the results of its own sessions only")


def _needs_store(config: Config, place: str, otherwise: str) -> Iterator[Finding]:
    if config.TRANSPORT.cells > 1 and not config.SESSION_STORE.connectionString:
        yield error(
            place,
            f"is on with several cells and no session store, so {otherwise}; set [SESSION_STORE] "
            "connectionString",
        )
