"""The token's claim ``policy`` is true, short, without secrets, and the same after a replay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import BaseModel, SecretStr

from aggregator.plugins.base import Plugin
from aggregator.plugins.registry import Registry
from aggregator.policy import BOUNDS, BOUNDS_IF_ON, MAX_OTHERS, UNKNOWN, Basis
from aggregator.session import JudgedSession, Outcome
from aggregator.verdict import VerdictWriter
from loadtest.synthetic.look import Look
from shared import __version__
from shared.codes import Code
from shared.config.luna_pass import ThresholdsSection
from shared.config.service import ChecksSection, Config
from shared.errors import ConfigError
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate
from shared.signing import Signer
from shared.wire.messages import Open, decode_estimate, encode
from tests.support.acting import play
from tests.support.judge import KEY, SESSION, judging, live, plugin_config, shot

OLD, NEW = Basis("0" * 16, "a" * 16), Basis("1" * 16, "a" * 16)
EVERY: dict[str, Any] = {
    "FaceMatcher": {"similarity": 0.5},
    "VirtualCameraChecker": {"threshold": 0.7},
    "Bestshot": None,
    "Luna3DescriptorQualityCheck": {
        "connectionString": "http://luna.example:5000",
        "authToken": "hunter2",
        "descriptorQualityThreshold": 0.5,
    },
    "AggregateLiveness": {"framesCount": 1},
    "ActiveLiveness": {"interactionsCount": 5},
    "FileLogger": {"path": "/var/secret/LOGS"},
    "VideoRedis": {"connectionString": "redis://:hunter2@redis.example"},
    "Callbacks": {"url": "https://bank.example/", "key": "hunter2"},
}


def own(name: str) -> str:
    return f"{__name__}:{name}"


class Gate(Plugin):
    class Args(BaseModel):
        """A number and a secret."""

        hours: tuple[int, int] = (8, 18)
        password: SecretStr = SecretStr("")


class Open24(Plugin):
    @classmethod
    def stated(cls, args: Any, config: Config) -> Any:
        return {"hours": 24}


class Chatty(Plugin):
    @classmethod
    def stated(cls, args: Any, config: Config) -> Any:
        return {"text": "x" * 200}


class NoJson(Plugin):
    @classmethod
    def stated(cls, args: Any, config: Config) -> Any:
        return {"self": cls}


def judged(config: Config, estimates: Sequence[Estimate]) -> dict[str, Any]:
    """Return the claims of the token issued for these frames."""
    opened = Open("", SESSION, 1000.0, 7, bytes(32))
    registry = Registry(config)
    session = JudgedSession(opened, registry.plugins(), config.LIVENESS, registry.policy)
    for seq, estimate in enumerate(estimates, 1):
        packed = decode_estimate(encode(estimate))
        outcome = session.fold(seq, 1000.0 + seq, packed, None, replay=False, shot=shot(seq))
        assert isinstance(outcome, Outcome)
    assert outcome.accepted
    writer = VerdictWriter(config, Signer(config.LUNA_PASS.JWT))
    return claims(writer.result(session, outcome))


def claims(result: str) -> dict[str, Any]:
    token = json.loads(result)["body"]["jwt"]
    options: Any = {"verify_exp": False}
    return jwt.decode(token, KEY, ["HS256"], issuer="lunapass", options=options)


def by(basis: Basis, score: float = 0.9, **changes: Any) -> Estimate:
    return live(score, rules=basis.rules, models=basis.models, **changes)


def test_the_token_states_its_policy() -> None:
    """Plugins in their order with their arguments, limits, rules, models and version."""
    plugins = {"AggregateLiveness": {"framesCount": 1}, "Bestshot": None}
    config = plugin_config(plugins, LIVENESS={"maxLivenessAttempts": 9})
    policy = judged(config, [by(NEW)])["policy"]
    assert len(policy.pop("digest")) == 64
    assert policy == {
        "rules": NEW.rules,
        "models": NEW.models,
        "plugins": [
            {"name": "Bestshot", "args": {}},
            {
                "name": "AggregateLiveness",
                "args": {
                    "framesCount": 1,
                    "earlyDecision": False,
                    "minIntervalMs": 100,
                    "livenessScore": 0.5,
                    "livenessQualityScore": 0.5,
                    "moire": 0.0,
                    "similarity": 0.5,
                },
            },
            {"name": "Result", "args": {}},
        ],
        "limits": {
            "maxAttempts": -1,
            "maxLivenessAttempts": 9,
            "livenessRefusals": 15,
            "reuseSeconds": 86_400.0,
            "reuseFrames": 100_000,
            "refusedSessionsPerAddress": 20,
        },
        "version": __version__,
    }


def test_the_claim_is_short_and_contains_no_secret() -> None:
    """With all plugins, two user plugins and several reloads it has no path or password."""
    mine = {own("Gate"): {"password": "hunter2"}, own("Open24"): None}
    policy = Registry(plugin_config(EVERY | mine)).policy
    claim = policy.claim([Basis(str(n) * 16, "a" * 16) for n in range(9)])
    text = json.dumps(claim, separators=(",", ":"))
    assert len(text) < 1600
    for secret in ("hunter2", "example", "/", "redis", "http"):
        assert secret not in text
    names = [plugin["name"] for plugin in claim["plugins"]]
    assert not {"FileLogger", "VideoRedis", "Callbacks"} & set(names)


def digest_of(plugins: dict[str, Any], **sections: Any) -> str:
    claim = Registry(plugin_config(plugins, **sections)).policy.claim([NEW])
    digest: str = claim["digest"]
    return digest


@pytest.mark.parametrize(
    "other",
    [
        {"AggregateLiveness": {"framesCount": 2}},
        {"AggregateLiveness": {"framesCount": 3, "earlyDecision": True}},
        {"AggregateLiveness": {"framesCount": 3}, "Bestshot": None},
        {"AggregateLiveness": {"framesCount": 3}, own("Gate"): {}},
        {},
    ],
)
def test_another_policy_has_another_digest(other: dict[str, Any]) -> None:
    """Adding or removing a plugin, or changing an argument, changes the digest."""
    assert digest_of(other) != digest_of({"AggregateLiveness": {"framesCount": 3}})


def test_settings_that_do_not_judge_leave_the_digest_unchanged() -> None:
    """These are side effects, addresses, secrets and the order of plugins in the file."""
    quiet = {"Bestshot": None, "AggregateLiveness": None}
    loud = {"AggregateLiveness": None, "Bestshot": None, "FileLogger": {"path": "/elsewhere"}}
    assert digest_of(loud, LUNA_PASS={"JWT": {"key": "k" * 64}}) == digest_of(quiet)


def test_thresholds_of_a_plugin_are_stated() -> None:
    """AggregateLiveness compares the mean itself, with the thresholds its session started with."""
    lax = {"THRESHOLDS": {"livenessScore": 0.0}}
    assert digest_of({"Bestshot": {}}, LIVENESS=lax) == digest_of({"Bestshot": {}})
    plugins: dict[str, Any] = {"AggregateLiveness": {}}
    assert digest_of(plugins, LIVENESS=lax) != digest_of(plugins)
    assert digest_of({}, LIVENESS={"maxAttempts": 3}) != digest_of({})


@pytest.mark.parametrize("key", BOUNDS)
def test_every_limit_is_stated(key: str) -> None:
    """A limit that is turned off is in the claim, in its digest and in the registry's digest."""
    default, off = (Registry(plugin_config({}, LIMITS=limits)) for limits in ({}, {key: 0}))
    assert off.digest != default.digest
    assert off.policy.limits == {**default.policy.limits, key: 0}
    assert off.policy.claim([NEW])["digest"] != default.policy.claim([NEW])["digest"]


def test_settings_that_affect_verdicts_change_the_digest() -> None:
    """Policies that differ in one of these accept different frames and sessions."""
    judging = {"livenessRefusals", "reuseSeconds", "reuseFrames", "refusedSessionsPerAddress"}
    assert judging <= set(Registry(plugin_config({})).policy.limits)


@pytest.mark.parametrize("key", BOUNDS_IF_ON)
def test_an_enabled_limit_is_stated(key: str) -> None:
    """A verifier that requires it refuses a claim without it."""
    assert key not in Registry(plugin_config({})).policy.limits
    assert Registry(plugin_config({}, LIMITS={key: 3})).policy.limits[key] == 3


def test_forbidden_labels_are_stated(tmp_path: Path) -> None:
    """A custom list of labels is stated by its content, not by its path."""
    digests = []
    for name, label in (("one", "obs"), ("two", "obs"), ("three", "obs\nmanycam")):
        (tmp_path / name).write_text(label)
        digests.append(digest_of({"VirtualCameraChecker": {"labelsPath": str(tmp_path / name)}}))
    assert digests[0] == digests[1] != digests[2]


def test_a_user_plugin_is_stated_by_a_digest() -> None:
    """Its arguments are part of the digest, its secrets are not."""
    assert digest_of({own("Gate"): {"hours": [9, 17]}}) != digest_of({own("Gate"): {}})
    assert digest_of({own("Gate"): {"hours": [8, 18]}}) == digest_of({own("Gate"): {}})
    passwords = ({own("Gate"): {"password": one}} for one in ("hunter2", "hunter3"))
    assert len(set(map(digest_of, passwords))) == 1
    (stated,) = Registry(plugin_config({own("Open24"): {}})).policy.claim([NEW])["plugins"][:1]
    assert stated == {"name": own("Open24"), "args": {"hours": 24}}


@pytest.mark.parametrize("name", ["Chatty", "NoJson"])
def test_a_plugin_that_states_too_much_does_not_start(name: str) -> None:
    """Data that does not fit into a token is an error at start-up, not in a session."""
    with pytest.raises(ConfigError, match=f"{name}.stated"):
        Registry(plugin_config({own(name): {}}))


@pytest.mark.parametrize(
    "rules",
    [
        Rules(ThresholdsSection(livenessScore=0.4)),
        Rules(ThresholdsSection(glasses=["no_glasses", "sunglasses"])),
        Rules(limits=ChecksSection(eyeOpen=0.1)),
    ],
)
def test_other_rules_have_another_digest(rules: Rules) -> None:
    """Every threshold and limit is part of the digest; equal rules have equal digests."""
    assert rules.digest != Rules().digest == Rules(ThresholdsSection(), ChecksSection()).digest


def test_a_session_states_all_rules_that_judged_its_frames() -> None:
    """After a reload it states those of the accepted frame, and the others by a digest."""
    config = plugin_config({"AggregateLiveness": {"framesCount": 2}})
    before, after = (judged(config, [by(basis)] * 2)["policy"] for basis in (OLD, NEW))
    policy = judged(config, [by(OLD), by(NEW)])["policy"]
    others = policy.pop("others")
    assert policy == after
    assert others == [{key: before[key] for key in ("digest", "rules", "models")}]


def test_the_rules_of_the_best_shot_are_stated() -> None:
    """The image in the token may have been judged before the reload."""
    config = plugin_config({"Bestshot": None, "AggregateLiveness": {"framesCount": 2}})
    policy = judged(config, [by(OLD, 0.99), by(NEW, 0.6)])["policy"]
    assert [other["rules"] for other in policy["others"]] == [OLD.rules]


def test_a_frame_without_an_estimate_states_no_rules() -> None:
    """An unreadable frame, or one lost with its worker, is refused by any rules."""
    lost = Estimate(0, 0, errors=(Code.ESTIMATION_FAILED,))
    policy = judged(plugin_config({}), [lost, by(NEW)])["policy"]
    assert "others" not in policy


def test_unknown_rules_are_stated_as_unknown() -> None:
    """The entry matches nothing that a relying party can require."""
    policy = judged(plugin_config({}), [live()])["policy"]
    assert (policy["rules"], policy["models"]) == UNKNOWN


def test_the_claim_stays_short_after_many_reloads() -> None:
    """It names the newest rules; one entry that matches nothing stands for the rest."""
    bases = [Basis(f"{n:016x}", "a" * 16) for n in range(20)]
    config = plugin_config({"AggregateLiveness": {"framesCount": 20}})
    policy = judged(config, [by(basis) for basis in bases])["policy"]
    others = [Basis(other["rules"], other["models"]) for other in policy["others"]]
    assert others == [UNKNOWN, *bases[-1 - MAX_OTHERS : -1]]
    assert len(json.dumps(policy)) < 1600


def test_a_replay_states_the_same() -> None:
    """An aggregator killed in the middle of a reload writes exactly the same token."""

    def run(*restarts: int) -> str:
        played = play(
            plugin_config({"AggregateLiveness": {"framesCount": 4}}),
            lambda now, codes: Look(),
            seconds=2.0,
            restarts=restarts,
            basis=lambda number: OLD if number < 3 else NEW,
        )
        return played.result

    assert claims(run())["policy"]["others"][0]["rules"] == OLD.rules
    assert run(2, 3, 4) == run()


async def test_a_session_keeps_its_plugins_after_a_reload(tmp_path: Path) -> None:
    """The claim states the plugins with which the session started."""
    async with judging(plugin_config({"Bestshot": None}), tmp_path) as gateway:
        await gateway.open()
        gateway.judge(1, by(NEW))
        policy = claims((await gateway.verdict()).result or "")["policy"]
    assert [plugin["name"] for plugin in policy["plugins"]] == ["Bestshot", "Result"]
    assert policy == Registry(plugin_config({"Bestshot": None})).policy.claim([NEW])
