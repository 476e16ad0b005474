"""Consent: a session begins only after the person has accepted the current text.

The client reports which version was accepted, and when by its own clock. Both are stored with the
claims of the start token, so the audit, FileLogger's log and the verdict's token have them too.
"""

import json

from shared.config.service import Config
from shared.wire.messages import MAX_START_CHARS
from shared.wire.protocol import ProtocolError

MAX_TIME = 1e11
"""Unix time in seconds, some 3,000 years: a larger number is not a time in seconds."""


def required_version(config: Config) -> str | None:
    """Return the version of the text that a person must accept; None without the plugin."""
    plugin = config.MIDDLEWARES.REQUEST.Consent
    return plugin.args.version if plugin.isEnabled else None


def with_consent(version: str | None, start: str, header: object) -> str:
    """Return the claims of a start token, as JSON, with the consent added if one is required.

    Raises:
        ProtocolError: there is no consent to the current version.
    """
    if version is None:
        return start
    if not isinstance(header, dict) or header.get("version") != version:
        raise _required(f"a new session needs consent to version {version} of the text")
    at = header.get("at")
    if not isinstance(at, int | float) or isinstance(at, bool) or not 0 < at < MAX_TIME:
        raise _required("consent.at is the time of the acceptance, in seconds since 1970")
    text = json.dumps({**json.loads(start), "consent": {"version": version, "at": int(at)}})
    if len(text) > MAX_START_CHARS:
        raise _required("the claims of the start token leave no room for the consent")
    return text


def _required(message: str) -> ProtocolError:
    return ProtocolError(message, code="consent.required")
