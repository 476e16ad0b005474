"""Rules about the relying party's credential and where the results are."""

from __future__ import annotations

from collections.abc import Iterator

from shared.config.findings import Finding, error
from shared.config.service import Config

PLACE = "[MIDDLEWARES.REQUEST.ServerResult]"


def server_result(config: Config) -> Iterator[Finding]:
    """Require a credential, and results that any gateway finds."""
    plugin = config.MIDDLEWARES.REQUEST.ServerResult
    if not plugin.isEnabled:
        return
    if plugin.args.key is None:
        yield error(PLACE, "needs args.key; make one with: lunapass config key")
    if config.TRANSPORT.cells > 1 and not config.SESSION_STORE.connectionString:
        yield error(
            PLACE,
            "is on with several cells and no session store, so a gateway knows the results of its "
            "own sessions only; set [SESSION_STORE] connectionString",
        )
