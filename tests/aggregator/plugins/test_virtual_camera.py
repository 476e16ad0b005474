"""VirtualCameraChecker: what counts as evidence, and what a real camera may do."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregator.plugins.registry import Registry
from aggregator.plugins.virtual_camera import HISTORY_FRAMES
from aggregator.session import JudgedSession, Outcome
from shared.codes import Code
from shared.errors import ConfigError
from shared.frame.estimation import Box, Estimate, HeadPose, Quality
from shared.wire.messages import Open
from tests.support.judge import SESSION, live, plugin_config, shot

CAMERA = {"label": "Integrated Camera (04f2:b6dd)", "width": 640, "height": 480, "frameRate": 30}


def picture(number: int, **changes: Any) -> Estimate:
    """The estimate of an image; equal numbers mean equal images."""
    noise = random.Random(number).random
    quality = Quality(noise(), noise(), noise(), noise(), noise())
    estimate = live(face=Box(100, 100, 200, 220), quality=quality, errors=(Code.AGGREGATING,))
    return replace(estimate, **changes)


def watch(
    pictures: Sequence[Estimate], *, fps: float = 10.0, client: object = None, **args: Any
) -> tuple[Outcome, dict[str, Any]]:
    """Show images until the session ends; return the last outcome and the evidence."""
    config = plugin_config({"VirtualCameraChecker": args})
    description = json.dumps({"camera": CAMERA} if client is None else client)
    session = JudgedSession(
        Open("", SESSION, 1000.0, 7, bytes(32), client=description),
        Registry(config).plugins(),
        config.LIVENESS,
    )
    for seq, estimate in enumerate(pictures, 1):
        outcome = session.fold(
            seq, 1000.0 + seq / fps, estimate, None, replay=False, shot=shot(seq)
        )
        assert isinstance(outcome, Outcome)
        if outcome.final:
            break
    return outcome, session.context.data["virtualCamera"]


def refused(outcome: Outcome) -> bool:
    assert not outcome.accepted
    return outcome.final and Code.VIRTUAL_CAMERA in outcome.errors


def test_a_real_camera_gives_no_evidence() -> None:
    """A minute of different images at the camera's rate, with the phone turned once."""
    pictures = [picture(n) for n in range(600)]
    pictures += [picture(n, width=480, height=640) for n in range(600, 900)]
    outcome, found = watch(pictures, fps=30)
    assert not outcome.final
    assert found == {"score": 0.0, "evidence": {}}


@pytest.mark.parametrize(
    "label",
    [
        "OBS Virtual Camera",
        "obs virtual camera (m-de:vice)",
        "ManyCam Virtual Webcam",
        "v4l2loopback",
    ],
)
def test_the_label_of_a_virtual_camera_is_enough(label: str) -> None:
    """Case and surrounding text do not matter."""
    outcome, found = watch([picture(1)], client={"camera": {"label": label}})
    assert refused(outcome)
    assert found["evidence"] == {"label": 1}


@pytest.mark.parametrize(
    "client",
    [{}, [], "x", {"camera": []}, {"camera": {"label": 5, "frameRate": "30"}}, {"camera": None}],
)
def test_a_client_without_a_description_is_no_evidence(client: object) -> None:
    """A nonsensical description is no evidence either."""
    outcome, found = watch([picture(n) for n in range(60)], client=client, fps=60)
    assert not outcome.final
    assert found["evidence"] == {}


def test_a_loop_is_detected() -> None:
    """An image that recurs after others is evidence; two end the session."""
    outcome, found = watch([picture(n % 40) for n in range(200)])
    assert refused(outcome)
    assert found["evidence"] == {"repeated": 2}


def test_images_are_remembered_for_a_minute() -> None:
    """Memory is limited."""
    outcome, _ = watch([picture(n % (HISTORY_FRAMES + 5)) for n in range(2 * HISTORY_FRAMES)])
    assert not outcome.final


def test_a_frozen_stream_is_detected() -> None:
    """The same image for one second is evidence; after two seconds it ends the session."""
    one_second = [picture(1)] * 12 + [picture(2)]
    outcome, found = watch(one_second)
    assert not outcome.final
    assert found["evidence"] == {"frozen": 1}
    outcome, _ = watch([picture(1)] * 30)
    assert refused(outcome)


def test_an_image_shown_twice_in_a_row_is_no_evidence() -> None:
    """A client may send faster than its camera captures."""
    slow = {"camera": {**CAMERA, "frameRate": 8}}
    outcome, found = watch([picture(n // 3) for n in range(300)], fps=24, client=slow)
    assert not outcome.final
    assert found["evidence"] == {}


def looked_at(number: int, quick: bool) -> Estimate:
    """The estimate of an image by a full or a quick look, which measure it differently."""
    box = Box(102, 99, 196, 224) if quick else Box(100, 100, 200, 220)
    return picture(2 * number + quick, face=box, quick=quick)


def test_images_sent_twice_are_no_evidence_whatever_looks_at_them() -> None:
    """As by a camera in low light, with one full look after eight quick ones."""
    frames = [looked_at(number // 4, quick=number % 9 > 0) for number in range(200)]
    outcome, found = watch(frames)
    assert not outcome.final
    assert found["evidence"] == {}


def test_a_frozen_stream_is_detected_by_quick_looks() -> None:
    """The full looks between them do not hide it."""
    outcome, found = watch([looked_at(0, quick=number % 9 > 0) for number in range(60)])
    assert refused(outcome)
    assert found["evidence"]["frozen"] >= 2


def test_more_images_than_the_camera_captures_are_detected() -> None:
    """The client sends twice as many different images as its frame rate allows."""
    slow = {"camera": {**CAMERA, "frameRate": 15}}
    outcome, found = watch([picture(n) for n in range(200)], fps=30, client=slow)
    assert refused(outcome)
    assert found["evidence"]["tooFast"] == 3


def test_jumps_alone_do_not_end_the_session() -> None:
    """A head that moves impossibly fast is weak evidence, because frames may have been lost."""
    poses = [HeadPose(yaw, 0, 0) for yaw in (-90.0, 90.0)]
    outcome, found = watch([picture(n, head_pose=poses[n % 2]) for n in range(30)])
    assert not outcome.final
    assert 0 < found["score"] < 0.7
    assert found["evidence"] == {"jump": 3}


def test_repeated_changes_of_size_are_detected() -> None:
    """No camera changes its image size several times in a session."""
    pictures = [picture(n, width=640 + 8 * (n % 4)) for n in range(30)]
    outcome, _ = watch(pictures)
    assert refused(outcome)


def test_the_threshold_is_configurable() -> None:
    """At 1 nothing is refused, but the score is reported."""
    outcome, found = watch([picture(1)] * 30, threshold=1.0)
    assert not outcome.final
    assert found["score"] > 0.7


def test_labels_are_read_from_a_file(tmp_path: Path) -> None:
    """It has one label per line, may have comments, and replaces the built-in list."""
    file = tmp_path / "labels.txt"
    file.write_text("# ours\nBAD Cam  # a comment\n\n")
    chosen = {"labelsPath": str(file)}
    assert refused(watch([picture(1)], client={"camera": {"label": "My bad cam 2"}}, **chosen)[0])
    assert not watch([picture(1)], client={"camera": {"label": "OBS"}}, **chosen)[0].final


@pytest.mark.parametrize("content", [None, b"# nothing\n", b"\xff\xfe"])
def test_a_file_without_labels_is_an_error_at_start_up(
    tmp_path: Path, content: bytes | None
) -> None:
    """One line names the key."""
    file = tmp_path / "labels.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"args\.labelsPath"):
        Registry(plugin_config({"VirtualCameraChecker": {"labelsPath": str(file)}}))
