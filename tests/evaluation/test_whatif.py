from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.sessions import Logged, read_logs
from evaluation.thresholds import THRESHOLDS
from evaluation.tuning import overlay
from evaluation.whatif import study, suggest, what_if
from shared.config.loading import load
from shared.config.luna_pass import ThresholdsSection
from shared.errors import ResourceError
from shared.frame.checks import CHECKS, Rules
from shared.frame.estimation import Box, Estimate, HeadPose, Profile
from tests.evaluation.estimates import QUALITY, estimate
from tests.evaluation.logs import write_session

RULES = Rules()
BLUR = next(one for one in THRESHOLDS if one.key == "blur")
YAW = next(one for one in THRESHOLDS if one.key == "yaw")


def blurred(blur: float, **more: object) -> Estimate:
    return estimate(quality=replace(QUALITY, blur=blur), **more)


def logged(tmp_path: Path, *sessions: tuple[Sequence[Estimate], bool]) -> list[Logged]:
    for number, (frames, accepted) in enumerate(sessions):
        write_session(tmp_path, number, frames, accepted=accepted)
    return read_logs(tmp_path)[0]


def test_lenient_threshold_by_hand(tmp_path: Path) -> None:
    """At 0.4 one of two blurred frames passes, in a session that was not accepted."""
    sessions = logged(tmp_path, ([blurred(0.5), blurred(0.3)], False), ([estimate()], True))
    found = what_if(sessions, BLUR, 0.4, RULES)
    assert (found.refused, found.further, found.lost) == (1, 1, 0)
    assert (found.sessions_helped, found.sessions_lost) == (1, 0)


def test_strict_threshold_by_hand(tmp_path: Path) -> None:
    """At 0.95 frames of both sessions no longer pass, and one session has none left."""
    sessions = logged(tmp_path, ([estimate()], True), ([estimate(), blurred(1.0)], True))
    found = what_if(sessions, BLUR, 0.95, RULES)
    assert (found.refused, found.lost, found.sessions_lost) == (2, 2, 1)


def test_a_frame_that_stricter_rules_stopped_is_not_known_to_pass(tmp_path: Path) -> None:
    """Its log has no later measurements, even if no check that ran fails by today's rules."""
    sessions = logged(tmp_path, ([blurred(0.5)], False))  # 0.61 was required at that time
    lenient = Rules(ThresholdsSection(blur=0.2))
    found = what_if(sessions, BLUR, 0.55, lenient)
    assert (found.refused, found.lost, found.sessions_lost) == (1, 0, 0)


def test_another_failure_of_the_same_stage_remains(tmp_path: Path) -> None:
    """A frame that is dark and blurred does not pass with a lower blur threshold."""
    both = estimate(quality=replace(QUALITY, blur=0.3, darkness=0.1))
    assert what_if(logged(tmp_path, ([both], False)), BLUR, 0.0, RULES).further == 0


def test_frames_of_an_action_do_not_count(tmp_path: Path) -> None:
    """During an action the pose is not judged, so such frames do not count."""
    turning = estimate(head_pose=HeadPose(40, 0, 0), profile=Profile.ACTIVE)
    assert what_if(logged(tmp_path, ([turning], False)), YAW, 45, RULES).further == 0


def test_the_configured_value_changes_nothing(tmp_path: Path) -> None:
    """Every study includes the configured value, with which no frame's result changes."""
    sessions = logged(
        tmp_path,
        ([blurred(0.2), estimate(0.1), estimate(head_pose=HeadPose(30, 0, 0))], False),
        ([estimate()], True),
    )
    for one in study(sessions, RULES):
        (now,) = (step for step in one.rows if step.value == one.now)
        assert (now.further, now.lost, now.sessions_helped, now.sessions_lost) == (0, 0, 0, 0)


def test_every_threshold_is_known() -> None:
    """The thresholds use keys and stages that the checks have."""
    assert len({one.key for one in THRESHOLDS}) == len(THRESHOLDS)
    stages = {stage for stage, _ in CHECKS}
    for one in THRESHOLDS:
        assert hasattr(RULES.thresholds, one.key)
        assert one.stage in stages
        assert one.current(one.changed(RULES, one.range[2])) == one.range[2]


def test_suggests_a_value_that_accepted_sessions_need(tmp_path: Path) -> None:
    """Fifty accepted sessions have frames at 0.5, and the suggested value lets those pass."""
    people = [([blurred(0.5), blurred(0.55), estimate()], True) for _ in range(50)]
    sessions = logged(tmp_path, *people, ([blurred(0.52)], False))
    (one,) = suggest(sessions, RULES)
    assert (one.key, one.now, one.value) == ("blur", 0.61, 0.5)
    assert "67% of the frames of 50 accepted sessions" in one.reason
    assert "101 more frames reach the later checks, also in 1 sessions" in one.cost


def test_suggests_nothing_from_few_sessions(tmp_path: Path) -> None:
    """Nine sessions are too few for a suggestion."""
    assert suggest(logged(tmp_path, *[([blurred(0.5), estimate()], True)] * 9), RULES) == []


def test_liveness_needs_labels(tmp_path: Path) -> None:
    """With labelled attacks, their APCER sets the threshold and the cost is in BPCER."""
    for number in range(20):
        score = 0.6 if number < 2 else 0.1
        write_session(tmp_path / "attack" / "print", number, [estimate(score)], accepted=False)
        low = estimate(0.55 if number == 0 else 0.95)
        write_session(tmp_path / "live", 100 + number, [low], accepted=True)
    sessions, _ = read_logs(tmp_path)
    (one,) = suggest(sessions, RULES)
    assert one.key == "livenessScore"
    assert one.value == pytest.approx(0.601)
    assert "10.0% now, 0.0% with it" in one.reason
    assert one.cost == "BPCER 0.0% now, 5.0% with it"


def test_labels_are_taken_from_the_folders(tmp_path: Path) -> None:
    """The first folder that is a label counts, so an attack may be named ``live``."""
    write_session(tmp_path / "attack" / "print" / "live", 4, [estimate()], accepted=False)
    write_session(tmp_path / "attack" / "replay", 1, [estimate()], accepted=False)
    write_session(tmp_path / "live" / "anna", 2, [estimate()], accepted=True)
    write_session(tmp_path, 3, [estimate()], accepted=True)
    found = {(one.label, one.species) for one in read_logs(tmp_path)[0]}
    expected = {("attack", "replay"), ("attack", "print"), ("live", ""), ("unlabelled", "")}
    assert found == expected


def test_damaged_logs_are_reported(tmp_path: Path) -> None:
    """A log with a torn last line is read up to it; another file is skipped and reported."""
    write_session(tmp_path, 1, [estimate()], accepted=True, torn=True)
    broken = write_session(tmp_path, 2, [estimate()], accepted=True)
    (broken / "session.jsonl").write_text('{"event": "frame"}\n')
    sessions, faults = read_logs(tmp_path)
    assert [one.accepted for one in sessions] == [False]
    assert "the first line is not 'opened'" in faults[0]
    with pytest.raises(ResourceError, match="found no session of FileLogger"):
        read_logs(broken)


@pytest.mark.parametrize("left", [-30, 0, 1])
def test_a_suggested_margin_is_a_valid_value(tmp_path: Path, left: int) -> None:
    """It is a non-negative integer, even if faces were cut off."""
    away = estimate(face=Box(left, 100, 220, 260))
    sessions = logged(tmp_path, *[([away, away, estimate()], True)] * 12)
    (found,) = [one for one in suggest(sessions, RULES) if one.key == "frameMargin"]
    assert found.value == max(0, left)
    written = tmp_path / "overlay.toml"
    written.write_text(overlay([found]))
    assert load(written).LIVENESS.THRESHOLDS.frameMargin == max(0, left)
