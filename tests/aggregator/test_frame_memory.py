"""The memory of frames: each frame has one owner, for a limited time and up to a limited number."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.frame_memory import Claim, LocalFrames
from aggregator.machine_frames import MachineFrames
from aggregator.questions import answer_to, at_once
from shared.config.service import LimitsSection
from shared.process.clock import Clock
from tests.support.clock import SettableClock

A, B, C = "a" * 32, "b" * 32, "c" * 32


def picture(number: int) -> bytes:
    return number.to_bytes(16)


class Make(Protocol):
    """Creates a memory with the given limits."""

    def __call__(self, clock: Clock = ..., **limits: float) -> LocalFrames | MachineFrames: ...


def local(clock: Clock | None = None, **limits: float) -> LocalFrames:
    return LocalFrames(LimitsSection.model_validate(limits), clock=clock or SettableClock())


@pytest.fixture(params=["process", "machine"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Each kind of memory: inside one process, and in a file shared by one machine."""
    made: list[MachineFrames] = []

    def of_file(clock: Clock | None = None, **limits: float) -> MachineFrames:
        bounds = LimitsSection.model_validate(limits)
        made.append(MachineFrames(bounds, tmp_path / "frames", clock=clock or SettableClock()))
        return made[-1]

    yield local if request.param == "process" else of_file
    for frames in made:
        asyncio.run(frames.close())


def test_the_first_session_owns_the_frame(memory: Make) -> None:
    """The owner may claim it any number of times; no other session may."""
    frames = memory()
    assert [frames.claim_now(picture(1), one) for one in (A, A, B, A, B)] == [
        Claim.FIRST,
        Claim.FIRST,
        Claim.REUSED,
        Claim.FIRST,
        Claim.REUSED,
    ]
    assert frames.claim_now(picture(2), B) is Claim.FIRST


def test_an_accepted_best_shot_is_reported_to_other_sessions(memory: Make) -> None:
    """All other sessions see it as accepted, even if one of them claimed it first.

    A second report changes nothing.
    """
    frames = memory()
    frames.claim_now(picture(1), A)
    for session in (A, A, B):
        frames.accept(picture(1), session)
    assert frames.claim_now(picture(1), B) is Claim.ACCEPTED
    assert frames.claim_now(picture(1), A) is Claim.FIRST


def test_a_frame_is_forgotten_after_reuse_seconds(memory: Make) -> None:
    """It is not forgotten earlier, and a second claim does not extend the time."""
    clock = SettableClock()
    frames = memory(clock, reuseSeconds=10)
    frames.claim_now(picture(1), A)
    frames.accept(picture(2), A)
    clock.step(86_400.0)
    clock.advance(9.9)
    assert frames.claim_now(picture(1), B) is Claim.REUSED
    assert frames.claim_now(picture(2), B) is Claim.ACCEPTED
    clock.step(-3600.0)
    clock.advance(0.2)
    assert frames.claim_now(picture(1), B) is Claim.FIRST
    assert frames.claim_now(picture(2), B) is Claim.FIRST
    assert frames.claim_now(picture(1), A) is Claim.REUSED


def test_the_number_of_remembered_frames_is_limited(memory: Make) -> None:
    """The oldest frame is forgotten first; refused frames never displace accepted best shots."""
    frames = memory(reuseFrames=3)
    frames.accept(picture(0), A)
    for number in range(1, 5):
        frames.claim_now(picture(number), A)
    assert frames.claim_now(picture(1), B) is Claim.FIRST
    assert frames.claim_now(picture(4), B) is Claim.REUSED
    assert frames.claim_now(picture(0), B) is Claim.ACCEPTED


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([A, B, C])), max_size=40))
def test_every_frame_has_one_owner(claims: list[tuple[int, str]]) -> None:
    """The first session to claim an image owns it, in any order of claims."""
    frames, owners = local(), dict[int, str]()
    for number, session in claims:
        own = owners.setdefault(number, session) == session
        assert frames.claim_now(picture(number), session) is (Claim.FIRST if own else Claim.REUSED)


async def test_a_local_claim_is_answered_without_awaiting(memory: Make) -> None:
    """A claim that this process can decide does not yield to the event loop.

    ``ask`` gives the same answer.
    """
    frames = memory()
    assert at_once(frames.claim(picture(1), A, passed=True)) == b"first"
    assert at_once(frames.claim(picture(1), B, passed=True)) == b"reused"
    assert await answer_to(frames.claim(picture(1), B, passed=True)) == b"reused"


def test_creating_a_question_claims_nothing(memory: Make) -> None:
    """A replay creates the question and uses the logged answer."""
    frames = memory()
    frames.claim(picture(1), A, passed=True)
    assert frames.claim_now(picture(1), B) is Claim.FIRST


@pytest.mark.parametrize(
    ("answers", "claim"),
    [
        ((b"first",), Claim.REUSED),
        ((b"reused",), Claim.FIRST),
        ((None,), Claim.FIRST),
        ((), Claim.FIRST),
    ],
)
def test_a_session_can_claim_its_frames_again_after_a_restart(
    memory: Make, answers: tuple[bytes | None, ...], claim: Claim
) -> None:
    """Frames that the session claimed before the restart stay its own."""
    frames = memory()
    frames.recall(picture(1), A, answers)
    assert frames.claim_now(picture(1), B) is claim
