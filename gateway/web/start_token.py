"""StartToken: a session begins only with a token of the relying party's server, which counts once.

The token (a JWT) says who the check is for: its claims ``sub``, ``nonce``, ``aud`` and ``kiosk`` go
unchanged into the token of the verdict, so that a verdict is good for that person, purpose and
server alone. The session is refused in every doubtful case: a key that cannot be fetched, a store
that does not answer, a token that may have been used before this gateway started.
"""

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeGuard

import jwt

from gateway.web.start_keys import KeySource, UnknownKey, key_source
from gateway.web.used_tokens import UsedTokens, used_tokens
from shared.config.plugins import StartTokenArgs
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import MAX_START_CHARS
from shared.wire.protocol import ProtocolError

LEEWAY_SECONDS = 5.0
"""Difference allowed between the clocks of this machine and the relying party's."""
MAX_CHARACTERS = 8192
MAX_CLAIM_CHARACTERS = 256
CARRIED = ("sub", "nonce", "kiosk")
"""Claims that go into the verdict's token, besides ``aud``."""
REQUIRED = ("exp", "iat", "jti", "aud")
UNAVAILABLE = "start-token.unavailable"


@dataclass(frozen=True)
class StartGrant:
    """What a verified start token permits: one session.

    Attributes:
        claims: those for the verdict's token, as JSON.
        name: issuer and id of the token; empty if the service asks for none.
        seconds: time until the token is refused for its age.
    """

    claims: str = "{}"
    jti: str = ""
    name: str = ""
    seconds: float = 0.0


class StartTokens:
    """Verifies start tokens and uses them up; without the plugin, none is asked for."""

    def __init__(self, config: Config, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._args = StartTokenArgs()
        self._keys: KeySource | None = None
        self._used: UsedTokens | None = None
        self.renew(config)

    def renew(self, config: Config) -> None:
        """Take the configured keys from now on; used tokens stay used."""
        plugin = config.MIDDLEWARES.REQUEST.StartToken
        self._plugins = config.MIDDLEWARES.WS
        if not plugin.isEnabled:
            self._keys = None
        elif self._keys is None or plugin.args != self._args:  # else known keys stay known
            self._keys = key_source(plugin.args, clock=self._clock)
        self._args = plugin.args
        if plugin.isEnabled and self._used is None:
            self._used = used_tokens(config, clock=self._clock)

    async def close(self) -> None:
        """Close the connection to the session store."""
        if self._used is not None:
            await self._used.close()

    async def verify(self, token: object) -> StartGrant:
        """Verify the header ``start-token`` of CONNECT; the token is not used up yet.

        Raises:
            ProtocolError: the session may not begin; the code says why.
        """
        if self._keys is None:
            return StartGrant()
        if token is None:
            raise _refused("start-token.missing", "a new session needs the header start-token")
        claims = await self._verified(token, self._keys)
        self._require_policy(claims.get("policy"))
        seconds = self._require_times(claims)
        carried, jti = _carried(claims), claims["jti"]
        return StartGrant(carried, jti, f"{claims.get('iss', '')} {jti}", seconds)

    async def use(self, grant: StartGrant) -> None:
        """Use a verified token up.

        Raises:
            ProtocolError: it was used before, or that cannot be determined.
        """
        if not grant.name or self._used is None:
            return
        try:
            first = await self._used.use(grant.name, grant.seconds)
        except ConnectionError as error:
            raise _refused(UNAVAILABLE, "start tokens cannot be counted at the moment") from error
        if not first:
            raise _refused("start-token.used", "this start token was used before; get a new one")

    async def _verified(self, token: object, keys: KeySource) -> dict[str, Any]:
        if not isinstance(token, str) or len(token) > MAX_CHARACTERS:
            raise _refused("start-token.invalid", "the header start-token is not a JWT")
        try:
            key = await keys.key_for(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[self._args.algorithm],
                audience=self._args.audience,
                issuer=self._args.issuer,
                options={
                    "require": list(REQUIRED),
                    # ``_require_times`` compares these, with its clock and its leeway.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except UnknownKey as error:
            raise _refused(UNAVAILABLE, "no key is available for the start token") from error
        except (jwt.PyJWTError, ValueError, TypeError) as error:  # the last two of unusable keys
            message = "the start token does not verify: signature, aud, iss, or a claim missing"
            raise _refused("start-token.invalid", message) from error
        return claims

    def _require_times(self, claims: dict[str, Any]) -> float:
        """Return the seconds after which the token is refused for its age."""
        issued, expires = claims["iat"], claims["exp"]
        valid_from = claims.get("nbf", issued)
        if not (_is_time(issued) and _is_time(expires) and _is_time(valid_from)):
            raise _refused("start-token.invalid", "iat, nbf and exp are numbers")
        now = self._clock.wall()
        latest = max(issued, valid_from)
        if expires + LEEWAY_SECONDS <= now:
            raise _refused("start-token.expired", "the start token has expired")
        if latest > now + LEEWAY_SECONDS or not 0 < expires - issued <= self._args.maxSeconds:
            raise _refused(
                "start-token.invalid",
                f"a start token is valid for at most {self._args.maxSeconds} s from its iat, and"
                " neither iat nor nbf is in the future",
            )
        if self._used is None or issued < self._used.since + LEEWAY_SECONDS:
            raise _refused(
                "start-token.used",
                "the service restarted after this start token was issued; get a new one",
            )
        return expires - now + 2 * LEEWAY_SECONDS

    def _require_policy(self, policy: object) -> None:
        """Compare what the relying party requires with what this service does.

        ``{"actions": 3, "plugins": ["FaceMatcher"]}`` requires at least three actions and these
        plugins. It can only refuse: no token makes the service ask for less.
        """
        if policy is None:
            return
        if not isinstance(policy, dict) or policy.keys() - {"actions", "plugins"}:
            raise _refused("start-token.policy", "the claim policy has actions and plugins only")
        actions, plugins = policy.get("actions", 0), policy.get("plugins", [])
        if not isinstance(actions, int) or not isinstance(plugins, list):
            raise _refused("start-token.policy", "policy.actions is a number, plugins a list")
        active = self._plugins.ActiveLiveness
        asked = active.args.interactionsCount if active.isEnabled else 0
        if actions > asked:
            raise _refused("start-token.policy", "the service asks for fewer actions than required")
        known = type(self._plugins).model_fields
        on = {name for name in known if getattr(self._plugins, name).isEnabled}
        if not all(isinstance(name, str) and name in on for name in plugins):
            raise _refused("start-token.policy", "a required plugin is off")


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_text(value: object) -> TypeGuard[str]:
    """Return whether a claim is text without lone surrogates, which no UTF-8 can have."""
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def _carried(claims: dict[str, Any]) -> str:
    """Return the claims for the verdict, as JSON.

    Raises:
        ProtocolError: one is not a string, or is too long.
    """
    carried = {name: claims[name] for name in CARRIED if name in claims}
    for name, value in [*carried.items(), ("jti", claims["jti"])]:
        if not _is_text(value) or not 0 < len(value) <= MAX_CLAIM_CHARACTERS:
            raise _refused(
                "start-token.invalid",
                f"{name} must be a string of 1 to {MAX_CLAIM_CHARACTERS} characters",
            )
    text = json.dumps({**carried, "aud": claims["aud"]})
    if len(text) > MAX_START_CHARS:
        raise _refused("start-token.invalid", "sub, nonce, kiosk and aud are too long together")
    return text


def _refused(code: str, message: str) -> ProtocolError:
    return ProtocolError(message, code=code)
