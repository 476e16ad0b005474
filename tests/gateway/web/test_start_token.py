"""StartToken: one session for each token of the relying party; doubtful tokens are refused."""

from __future__ import annotations

import json
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.web.start_token import LEEWAY_SECONDS, StartTokens
from gateway.web.used_tokens import OwnUsedTokens
from shared.config.service import Config
from shared.wire.messages import Open, decode, encode
from shared.wire.protocol import ProtocolError
from tests.support.clock import SettableClock

SECRET = "s" * 32
NOW = 1_800_000_000.0


class Issuer:
    """A relying party's server."""

    def __init__(self, **args: Any) -> None:
        self.clock = SettableClock(NOW)
        self.tokens = self.gateway(**args)
        self.clock.advance(2 * LEEWAY_SECONDS)

    def gateway(self, **args: Any) -> StartTokens:
        return StartTokens(self.config(**args), clock=self.clock)

    def config(self, **args: Any) -> Config:
        plugin = {"isEnabled": True, "args": {"key": SECRET, **args}}
        settings = {
            "REQUEST": {"StartToken": plugin},
            "WS": {
                "ActiveLiveness": {"isEnabled": True, "args": {"interactionsCount": 3}},
                "FaceMatcher": {"isEnabled": True},
            },
        }
        return Config.model_validate({"MIDDLEWARES": settings})

    def token(self, key: Any = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
        now = self.clock.wall()
        claims = {"aud": "lunapass", "iat": now, "exp": now + 60, "jti": "1", **changes}
        given = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(given, key, algorithm=algorithm)

    async def admit(self, token: object) -> str:
        grant = await self.tokens.verify(token)
        await self.tokens.use(grant)
        return grant.claims

    async def refusal(self, token: object) -> str:
        with pytest.raises(ProtocolError) as refused:
            await self.admit(token)
        return refused.value.code


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


async def test_claims_are_passed_to_the_verdict(issuer: Issuer) -> None:
    """Those of the person, the purpose and the kiosk are unchanged; no other is passed."""
    token = issuer.token(sub="anna", nonce="n-1", kiosk="door 3", iss="bank", isOk=True)
    carried = json.loads(await issuer.admit(token))
    assert carried == {"sub": "anna", "nonce": "n-1", "kiosk": "door 3", "aud": "lunapass"}


async def test_a_token_is_valid_once(issuer: Issuer) -> None:
    """A second session with the same token is refused, another token starts one."""
    await issuer.admit(issuer.token())
    assert await issuer.refusal(issuer.token()) == "start-token.used"
    await issuer.admit(issuer.token(jti="2"))
    await issuer.admit(issuer.token(iss="another server"))


async def test_an_issuer_of_any_text_is_counted(issuer: Issuer) -> None:
    """A name that UTF-8 cannot encode does not break the service."""
    token = issuer.token(iss="bank \ud800")
    await issuer.admit(token)
    assert await issuer.refusal(token) == "start-token.used"


async def test_a_used_token_stays_used_until_it_has_expired(issuer: Issuer) -> None:
    """There is no moment when a token is neither remembered nor expired."""
    token = issuer.token()
    await issuer.admit(token)
    codes = []
    for _ in range(100):
        codes.append(await issuer.refusal(token))
        issuer.clock.advance(1.0)
    assert codes == sorted(codes, key=["start-token.used", "start-token.expired"].index)
    assert set(codes) == {"start-token.used", "start-token.expired"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "another service"}, "start-token.invalid"),
        ({"aud": None}, "start-token.invalid"),
        ({"jti": None}, "start-token.invalid"),
        ({"jti": ""}, "start-token.invalid"),
        ({"jti": "j" * 300}, "start-token.invalid"),
        ({"sub": "s" * 300}, "start-token.invalid"),
        ({"nonce": {"a": 1}}, "start-token.invalid"),
        ({"kiosk": "door \ud800"}, "start-token.invalid"),  # not valid in /metrics
        ({"jti": "\udfff"}, "start-token.invalid"),
        ({"exp": None}, "start-token.invalid"),
        ({"iat": None}, "start-token.invalid"),
        ({"exp": NOW}, "start-token.expired"),
        ({"exp": NOW + 3000}, "start-token.invalid"),
        ({"iat": NOW + 100, "exp": NOW + 160}, "start-token.invalid"),
        ({"iat": True}, "start-token.invalid"),
        ({"nbf": NOW + 100}, "start-token.invalid"),
        ({"nbf": "now"}, "start-token.invalid"),
        (dict.fromkeys(("sub", "nonce", "kiosk"), "ж" * 256), "start-token.invalid"),
        ({"policy": {"actions": 4}}, "start-token.policy"),
        ({"policy": {"plugins": ["VirtualCameraChecker"]}}, "start-token.policy"),
        ({"policy": {"plugins": [["FaceMatcher"]]}}, "start-token.policy"),
        ({"policy": {"thresholds": 0}}, "start-token.policy"),
        ({"policy": "none"}, "start-token.policy"),
    ],
)
async def test_invalid_claims_are_refused(
    issuer: Issuer, changes: dict[str, Any], code: str
) -> None:
    """Each has its code; a refused token is not used up."""
    assert await issuer.refusal(issuer.token(**changes)) == code
    await issuer.admit(issuer.token())


async def test_a_required_policy_that_the_service_meets(issuer: Issuer) -> None:
    """It asks for as many actions as the service or fewer, and for plugins that are on."""
    policy = {"actions": 3, "plugins": ["FaceMatcher", "ActiveLiveness"]}
    carried = json.loads(await issuer.admit(issuer.token(policy=policy)))
    assert carried == {"aud": "lunapass"}


@pytest.mark.parametrize("token", [7, {}, "", "a.b.c", "x" * 9000])
async def test_malformed_tokens_are_refused(issuer: Issuer, token: object) -> None:
    """Whatever a client sends, it is refused without an error."""
    assert await issuer.refusal(token) == "start-token.invalid"


async def test_a_missing_token_is_refused(issuer: Issuer) -> None:
    """It has its own code, for pages that were not given a token."""
    assert await issuer.refusal(None) == "start-token.missing"


async def test_another_key_or_algorithm_is_refused(issuer: Issuer) -> None:
    """The signature is of another key, missing, or by another algorithm with the same key."""
    assert await issuer.refusal(issuer.token("o" * 32)) == "start-token.invalid"
    assert await issuer.refusal(issuer.token(None, "none")) == "start-token.invalid"
    assert await issuer.refusal(issuer.token(SECRET * 2, "HS512")) == "start-token.invalid"


async def test_a_public_key_verifies(issuer: Issuer) -> None:
    """The relying party signs with a key that the service does not have."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    issuer = Issuer(algorithm="ES256", key=public.decode())
    await issuer.admit(issuer.token(private, "ES256"))
    # The public key as a shared secret: a classic attack on JWT.
    forged = jwt.api_jws.PyJWS().encode(b"{}", "k" * 32, "HS256")
    assert await issuer.refusal(forged) == "start-token.invalid"


async def test_tokens_from_before_a_restart_are_refused(issuer: Issuer) -> None:
    """Without a store they may have been used. A newer token starts a session."""
    token = issuer.token()
    await issuer.admit(token)
    issuer.tokens = issuer.gateway()
    assert await issuer.refusal(token) == "start-token.used"
    issuer.clock.advance(2 * LEEWAY_SECONDS)
    await issuer.admit(issuer.token())


async def test_memory_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is full no session starts until a token expires: nothing is forgotten early."""
    monkeypatch.setattr("gateway.web.used_tokens.MAX_TOKENS", 3)
    clock = SettableClock()
    used = OwnUsedTokens(clock=clock)
    for name in "abc":
        assert await used.use(name, 10)
    with pytest.raises(ConnectionError):
        await used.use("d", 10)
    clock.advance(11)
    assert await used.use("d", 10)
    assert await used.use("a", 10)


async def test_without_the_plugin_tokens_are_ignored() -> None:
    """A client may still send one."""
    tokens = StartTokens(Config())
    grant = await tokens.verify("anything")
    await tokens.use(grant)
    assert grant.claims == "{}"


async def test_claims_of_any_script_fit_the_message_to_the_aggregator(issuer: Issuer) -> None:
    """Otherwise the aggregator would refuse a session whose token was used up."""
    claims = await issuer.admit(issuer.token(sub="ж" * 200, nonce="é" * 200, kiosk="\0" * 200))
    opened = Open("a", "5" * 32, 1.0, 7, bytes(32), start=claims)
    assert json.loads(cast(Open, decode(encode(opened))).start)["sub"] == "ж" * 200


async def test_clocks_may_differ_a_little(issuer: Issuer) -> None:
    """A server whose clock is ahead writes the same time into iat and nbf."""
    ahead = issuer.clock.wall() + LEEWAY_SECONDS - 1
    await issuer.admit(issuer.token(iat=ahead, nbf=ahead, exp=ahead + 60))


async def test_a_reload_forgets_neither_keys_nor_uses(issuer: Issuer) -> None:
    """A new key is used; with the same one nothing is fetched again."""
    token = issuer.token()
    await issuer.admit(token)
    keys = issuer.tokens._keys
    issuer.tokens.renew(issuer.config())
    assert issuer.tokens._keys is keys
    assert await issuer.refusal(token) == "start-token.used"
    issuer.tokens.renew(issuer.config(key="o" * 32))
    await issuer.admit(issuer.token("o" * 32, jti="2"))
