"""The Luna3 plugin and its HTTP client for LUNA PLATFORM 3, tested against a real HTTP server."""

from __future__ import annotations

import json
import logging
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from aggregator.luna3 import FAILURES_TO_OPEN, OPEN_SECONDS, Breaker, Luna3, PlatformError
from aggregator.plugins.base import FrameJudgement, Question, SessionContext
from aggregator.plugins.luna3 import Luna3DescriptorQualityCheck
from aggregator.questions import answer_to
from shared.codes import Code
from shared.config.plugins import Luna3Args
from shared.config.service import Config
from shared.errors import ConfigError
from tests.support.clock import SettableClock
from tests.support.judge import SESSION, judging, live, plugin_config
from tests.support.luna_platform import FACE, TOKEN, LunaPlatform, bomb, luna_platform

JPEG = b"\xff\xd8\xff\xe0 a photo"


@pytest.fixture
def platform() -> Iterator[LunaPlatform]:
    with luna_platform() as server:
        yield server


def args(platform: LunaPlatform, **changes: Any) -> dict[str, Any]:
    """Settings of the plugin; the timeout is short only if the platform is to answer slowly."""
    return {
        "connectionString": platform.url,
        "authToken": TOKEN,
        "descriptorQualityThreshold": 0.5,
        "timeout": 0.3 if "slow" in platform.plan else 20.0,
        **changes,
    }


async def ask(platform: LunaPlatform, photo: bytes = JPEG, **changes: Any) -> dict[str, Any]:
    luna = Luna3(Luna3Args(**args(platform, **changes)))
    try:
        answer: dict[str, Any] = json.loads(await luna.ask(photo))
        return answer
    finally:
        await luna.close()


@pytest.mark.parametrize("token", ["s3cret ", "s3cret\n", "s3cr\u00e9t", "s3\x00cret"])
def test_a_token_that_cannot_be_sent_is_an_error_at_the_start(token: str) -> None:
    """The client would quote it in its error, and the log would have it. The message has not."""
    with pytest.raises(ConfigError, match=r"args\.authToken") as raised:
        Luna3(Luna3Args(connectionString="http://127.0.0.1", authToken=token))
    assert "s3" not in str(raised.value)


async def test_the_request_is_as_documented(platform: LunaPlatform) -> None:
    """A POST with the raw image, its media type and the token in a header, not in the URL."""
    assert await ask(platform) == {"quality": 0.9}
    ((method, path, headers),) = platform.requests
    assert (method, path) == (
        "POST",
        "/4/storage/descriptors?estimate_quality=1&extract_descriptor=1",
    )
    assert headers["X-Auth-Token"] == TOKEN
    assert headers["Content-Type"] == "image/jpeg"
    assert platform.photos == [JPEG]


@pytest.mark.parametrize("field", ["light", "dark", "saturation", "blurriness"])
async def test_the_quality_field_is_configurable(platform: LunaPlatform, field: str) -> None:
    """A setting selects the field of the answer to compare."""
    quality = FACE["quality"]
    assert isinstance(quality, dict)
    assert await ask(platform, qualityField=field) == {"quality": quality[field]}


@pytest.mark.parametrize(("behaviour", "code"), [("400", 36003), ("no face", 0)])
async def test_a_rejected_photo_is_a_negative_answer(
    platform: LunaPlatform, behaviour: str, code: int
) -> None:
    """A rejection is no outage and is not retried."""
    platform.plan = [behaviour]
    assert await ask(platform) == {"refused": code}
    assert len(platform.photos) == 1


@pytest.mark.parametrize(
    ("behaviour", "tries"),
    [
        ("500", 3),
        ("cut", 3),
        ("slow", 3),
        ("huge", 1),
        ("not json", 1),
        ("moved", 1),
    ],
)
async def test_any_other_response_is_an_outage(
    platform: LunaPlatform, behaviour: str, tries: int
) -> None:
    """Transient errors are retried ``retries`` times; permanent ones are not."""
    platform.plan = [behaviour]
    with pytest.raises(PlatformError):
        await ask(platform, retries=2)
    assert len(platform.photos) == tries


async def test_a_compressed_response_is_not_decompressed(platform: LunaPlatform) -> None:
    """A response of some kilobytes could expand to gigabytes before its size is checked."""
    platform.plan = ["bomb"]
    bomb()  # created here so that it is not measured below
    tracemalloc.start()
    try:
        with pytest.raises(PlatformError):
            await ask(platform)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000
    assert platform.requests[0][2]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("value", [None, "high", True, float("nan"), [0.9]])
async def test_a_non_numeric_quality_is_an_outage(platform: LunaPlatform, value: object) -> None:
    """It is never taken for a good one."""
    platform.face = {**FACE, "score": value}
    with pytest.raises(PlatformError):
        await ask(platform)


async def test_a_wrong_token_is_an_outage(platform: LunaPlatform) -> None:
    """With wrong settings no session passes, and the request is not retried."""
    with pytest.raises(PlatformError, match="401"):
        await ask(platform, authToken="wrong", retries=2)
    assert len(platform.photos) == 1


async def test_a_transient_error_is_retried(platform: LunaPlatform) -> None:
    """The next attempt succeeds."""
    platform.plan = ["500", "cut", "201"]
    assert await ask(platform, retries=2) == {"quality": 0.9}


async def test_a_refused_connection_is_an_outage(platform: LunaPlatform) -> None:
    """The service then gives no approval."""
    with pytest.raises(PlatformError):
        await ask(platform, connectionString="http://127.0.0.1:1", retries=0)


async def test_the_circuit_breaker_opens_and_closes(platform: LunaPlatform) -> None:
    """After several outages in a row no request is sent for a while.

    Then a single one probes the platform.
    """
    clock = SettableClock()
    breaker = Breaker(clock=clock)
    luna = Luna3(Luna3Args(**args(platform, retries=0)), breaker)
    platform.plan = ["500"]

    async def fails() -> int:
        with pytest.raises(PlatformError):
            await luna.ask(JPEG)
        return len(platform.photos)

    assert [await fails() for _ in range(FAILURES_TO_OPEN)] == [1, 2, 3, 4, 5]
    assert [await fails() for _ in range(3)] == [5, 5, 5]
    clock.advance(OPEN_SECONDS)
    assert [await fails() for _ in range(3)] == [6, 6, 6]  # a failing probe
    clock.advance(OPEN_SECONDS)
    platform.plan = ["201"]
    assert json.loads(await luna.ask(JPEG)) == {"quality": 0.9}
    assert json.loads(await luna.ask(JPEG)) == {"quality": 0.9}
    await luna.close()


async def test_an_outage_is_logged_once_at_its_start_and_end(
    platform: LunaPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    """The number of frames asked about and the state of the circuit breaker make no difference."""
    clock = SettableClock()
    luna = Luna3(Luna3Args(**args(platform, retries=0)), Breaker(clock=clock))
    platform.plan = ["500"]
    question = Question(lambda: luna.ask(JPEG), 20.0)
    assert [await answer_to(question) for _ in range(3 * FAILURES_TO_OPEN)].count(None) == 15
    platform.plan = ["201"]
    clock.advance(OPEN_SECONDS)
    assert await answer_to(question) is not None
    await luna.close()
    messages = [record.getMessage() for record in caplog.records if "aggregator" in record.name]
    assert [text.partition(":")[0] for text in messages] == [
        "LUNA PLATFORM fails",
        "LUNA PLATFORM answers again",
    ]


def config(platform: LunaPlatform, *plugins: str, **changes: Any) -> Config:
    luna = {"Luna3DescriptorQualityCheck": args(platform, retries=0, **changes)}
    return plugin_config({**dict.fromkeys(plugins), **luna})


async def codes(gateway: Any, seq: int, score: float, photo: bytes = JPEG) -> list[int]:
    """Return the codes of the next frame."""
    gateway.judge(seq, live(score), photo)
    verdict = await gateway.verdict()
    errors: list[int] = json.loads(verdict.status)["body"]["errors"]
    return errors


@pytest.mark.parametrize(
    ("behaviour", "threshold", "expected"),
    [
        ("201", 0.9, []),
        ("201", 0.91, [Code.LOW_AGS]),
        ("400", 0.0, [Code.LOW_AGS]),
        ("no face", 0.0, [Code.LOW_AGS]),
        ("500", 0.0, [Code.EXTERNAL_FAILED]),
        ("slow", 0.0, [Code.EXTERNAL_FAILED]),
        ("cut", 0.0, [Code.EXTERNAL_FAILED]),
    ],
)
async def test_the_verdict_follows_the_answer(
    platform: LunaPlatform, tmp_path: Path, behaviour: str, threshold: float, expected: list[int]
) -> None:
    """A quality equal to the threshold passes; a poor photo gets code 30, an outage code 34."""
    platform.plan = [behaviour]
    chosen = config(platform, descriptorQualityThreshold=threshold)
    async with judging(chosen, tmp_path) as gateway:
        await gateway.open()
        assert await codes(gateway, 1, 0.9) == expected


async def test_with_bestshot_only_the_best_shot_is_sent(
    platform: LunaPlatform, tmp_path: Path
) -> None:
    """A frame that is no better is accepted because the current best shot was approved."""
    chosen = plugin_config(
        {
            "Bestshot": None,
            "Luna3DescriptorQualityCheck": args(platform, retries=0),
            "AggregateLiveness": {"framesCount": 4},
        }
    )
    async with judging(chosen, tmp_path) as gateway:
        await gateway.open()
        for seq, score in enumerate([0.7, 0.6, 0.9, 0.8], 1):
            await codes(gateway, seq, score, b"%d" % seq)
    assert platform.photos == [b"1", b"3"]


async def test_a_rejected_best_shot_is_restored_to_the_previous_one(
    platform: LunaPlatform, tmp_path: Path
) -> None:
    """The session succeeds with the previous best shot. After an outage it does not."""
    chosen = plugin_config(
        {
            "Bestshot": None,
            "Luna3DescriptorQualityCheck": args(platform, retries=0),
            "AggregateLiveness": {"framesCount": 4},
        }
    )
    platform.plan = ["400", "201", "400", "500", "201"]
    async with judging(chosen, tmp_path) as gateway:
        await gateway.open()
        said = [await codes(gateway, n, score) for n, score in enumerate([0.9, 0.7, 0.8, 0.8], 1)]
        gateway.judge(5, live(0.6), b"no better")
        verdict = await gateway.verdict()
    assert said == [[30], [37], [30], [34]]
    assert verdict.accepted
    assert not verdict.keep
    assert len(platform.photos) == 4
    token = json.loads(verdict.result or "")["body"]["jwt"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["details"]["luna3"] == {"quality": 0.9}  # that of the best shot


def test_a_restored_best_shot_has_its_own_result() -> None:
    """A later plugin may discard a frame that the platform approved."""
    luna: Any = SimpleNamespace(ask=print, max_seconds=1.0)
    settings = Luna3Args(connectionString="http://127.0.0.1", authToken=TOKEN)
    plugin = Luna3DescriptorQualityCheck(settings, luna, best_only=True)
    context = SessionContext(SESSION, random.Random(1), logging.getLogger(), 1000.0)
    for seq, quality in [(1, 0.8), (2, 0.7)]:
        context.best_seq = seq
        frame = FrameJudgement(seq, live(), b"", [])
        plugin.on_estimate(context, frame)
        plugin.on_answer(context, frame, json.dumps({"quality": quality}).encode())
    context.best_seq = 1
    plugin.on_estimate(context, FrameJudgement(3, live(), b"", []))
    assert context.data == {"luna3": {"quality": 0.8}}
