"""Texts for the client: STATUS of a frame, RESULT with the signed token."""

import base64
import json
import uuid
from typing import Any

from aggregator.frame_status import Details, frame_status, full_details
from aggregator.session import JudgedSession, Outcome
from shared.config.base import GLASSES_OF_1X
from shared.config.service import Config
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate
from shared.signing import Signer
from shared.wire.protocol import Codec, Command

PUBLIC = frozenset({"activeLiveness"})
"""Data of plugins that a client may see in production too."""


class VerdictWriter:
    """Writes STATUS and RESULT."""

    def __init__(self, config: Config, signer: Signer) -> None:
        self._rules = Rules.of(config)
        self._reveal = config.LUNA_PASS.env == "development"
        self._glasses = GLASSES_OF_1X if config.LUNA_PASS.glassesNames == "1.x" else None
        self._jwt = config.LUNA_PASS.JWT
        self._signer = signer

    def status(self, seq: int, estimate: Estimate, outcome: Outcome, data: dict[str, Any]) -> str:
        """Write STATUS for one frame; ``data`` is the data of the plugins so far."""
        body = frame_status(estimate, outcome.errors, self._rules, reveal=self._reveal)
        visible = {name: data[name] for name in data if self._reveal or name in PUBLIC}
        self._rename_glasses(body["details"])
        body["details"].update(visible)
        return Codec.encode(Command.STATUS, {"seq": seq}, body)

    def result(self, session: JudgedSession, outcome: Outcome) -> str:
        """Write RESULT. Only accepted sessions get a token, so a valid signature proves success.

        The token's id is derived from the session's seed, so a repeated RESULT has the same token.
        """
        body: dict[str, Any] = {"isOk": False, "jwt": None, "errors": list(outcome.errors)}
        if outcome.accepted:
            body = {"isOk": True, "jwt": self._signer.sign(self._claims(session)), "errors": []}
        headers = {"session-id": session.opened.session}
        return Codec.encode(Command.RESULT, headers, body)

    def _claims(self, session: JudgedSession) -> dict[str, Any]:
        context, opened = session.context, session.opened
        assert context.best is not None
        assert context.best_shot is not None
        issued = int(session.wall)
        details = full_details(context.best, self._rules)
        self._rename_glasses(details)
        return {
            "isOk": True,
            "errors": [],
            "bestshot": base64.b64encode(context.best_shot.image).decode("ascii"),
            "bestshotSource": context.best_shot.source.claim(),
            "details": {**details, **context.data},
            "iss": self._jwt.issuer,
            "iat": issued,
            "exp": issued + self._jwt.lifetime,
            "jti": uuid.uuid5(uuid.NAMESPACE_OID, f"{opened.session}/{opened.seed}").hex,
            "sid": opened.session,
            "policy": session.policy.claim(session.bases),
            **json.loads(opened.start),
        }

    def _rename_glasses(self, details: Details) -> None:
        """Spell the kind of glasses as the configuration says."""
        if self._glasses is not None and "eyeglasses" in details:
            details["eyeglasses"] = self._glasses[details["eyeglasses"]]
