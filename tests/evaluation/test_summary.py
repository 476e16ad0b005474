from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation.report import html
from evaluation.scoring import by_frame, score
from evaluation.summary import summarise
from evaluation.thumbnails import worst_frame
from shared.codes import Code
from shared.frame.checks import Rules
from shared.frame.estimation import HeadPose, Image
from tests.evaluation.estimates import estimate, presentation

RULES = Rules()
AWAY = HeadPose(-40, 0, 0)


def summary(*presentations, unit: str = "presentation"):  # type: ignore[no-untyped-def]
    return summarise([score(one, RULES, 1) for one in presentations], RULES, unit=unit, window=1)


SET = (
    presentation(estimate(0.9), name="live/a.jpg"),
    presentation(estimate(0.3), name="live/b.jpg"),
    presentation(estimate(0.8, head_pose=AWAY), name="live/c.jpg"),
    presentation(estimate(0.7), name="attack/print/a.jpg", species="print"),
    presentation(estimate(0.1), name="attack/print/b.jpg", species="print"),
    presentation(estimate(0.1), name="attack/replay/a.mp4", species="replay"),
)


def test_rates_of_a_small_set_by_hand() -> None:
    """One of two prints passes and one of three live ones fails.

    As served, the turned one fails, too.
    """
    result = summary(*SET)
    assert result["apcer"] == {"print": 0.5, "replay": 0.0}
    assert result["apcerMax"] == 0.5
    assert result["bpcer"] == pytest.approx(1 / 3)
    assert result["acer"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert result["served"]["bpcer"] == pytest.approx(2 / 3)
    assert result["counts"]["attack"] == {"print": 2, "replay": 1}
    assert result["counts"]["live"] == 3


def test_checks_are_counted_as_first_failure_and_in_total() -> None:
    """A turned face that is not live counts first for its pose, and also for its liveness."""
    result = summary(presentation(estimate(0.1, head_pose=AWAY)), presentation(estimate(0.2)))
    by_code = {check["code"]: check["live"] for check in result["checks"]}
    assert by_code[Code.TURN_LEFT] == {"first": 1, "any": 1, "of": 2}
    assert by_code[Code.LOW_LIVENESS] == {"first": 1, "any": 2, "of": 2}


def test_frame_without_a_face_has_one_failure() -> None:
    """Missing measurements without a face are no further failures."""
    result = summary(presentation(estimate(None, faces=0, face=None, quality=None)))
    assert [check["code"] for check in result["checks"]] == [Code.NO_FACE]
    assert result["nonResponse"] == {"live": 1.0}
    assert result["bpcer"] is None


def test_warns_of_a_small_sample() -> None:
    """The notes say not to quote a rate from six images, and what is missing."""
    assert "Quote no error rate" in summary(*SET)["notes"][0]
    assert any("no APCER" in note for note in summary(SET[0])["notes"])
    refused = summary(presentation(refused="the frame is empty"))
    assert any("the frame is empty" in note for note in refused["notes"])
    (one,) = refused["presentations"]
    assert (one["refused"], one["codes"]) == ("the frame is empty", [Code.FRAME_UNDECODABLE])


def test_single_frames_keep_their_subject() -> None:
    """Frames of one video are not independent subjects."""
    video = presentation(estimate(0.9), estimate(0.1), name="live/v.mp4")
    result = summary(*by_frame(video), unit="frame")
    assert result["bpcer"] == 0.5
    assert result["intervals"]["bpcer"]["subjects"] == 1
    assert result["intervals"]["bpcer"]["bySubject"] is None


def test_summary_is_strict_json() -> None:
    """No infinity and no NaN, which other JSON parsers refuse."""
    for result in (summary(*SET), summary(SET[0]), summary(presentation())):
        json.dumps(result, allow_nan=False)


def test_report_is_one_escaped_page() -> None:
    """The page loads nothing external, and a file name cannot become markup."""
    hostile = '<script src="//x">.jpg'
    shown = presentation(estimate(0.1), name=hostile)
    page = html(summary(shown, *SET[3:]), f"Evaluation of {hostile}", lambda name: "AAAA")
    assert "<script" not in page
    assert "&lt;script" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<svg") >= 3
    assert "data:image/jpeg;base64,AAAA" in page


def test_many_frames_of_few_people_are_a_small_sample() -> None:
    """A hundred frames of one video count as one subject."""
    video = presentation(*[estimate(0.9)] * 100, name="live/a.mp4")
    result = summary(*by_frame(video), unit="frame")
    assert result["bpcer"] == 0
    assert "100 of 'live' by 1 subject(s)" in result["notes"][0]


def test_excluded_presentations_are_noted() -> None:
    """An undetected face would otherwise improve a rate silently."""
    lost = presentation(estimate(None, faces=0), name="live/d.jpg")
    result = summary(*SET, lost)
    assert result["bpcer"] == pytest.approx(1 / 3)
    assert "for lack of a score: 1 of 4 'live'." in " ".join(result["notes"])
    assert "Excluded" not in " ".join(summary(*SET)["notes"])


def test_the_thumbnail_of_an_error_shows_that_frame() -> None:
    """It does not show the worst frame of the video."""

    def decode(_path: Path) -> Iterator[Image]:
        for place in range(6):
            yield np.full((4, 400, 3), 40 * place, np.uint8)

    video = presentation(estimate(0.1), estimate(0.3), estimate(0.2), name="live/a.mp4")
    frames = {one.sample.name: one for one in by_frame(video)}
    assert list(frames) == [f"live/a.mp4 frame {number}" for number in (1, 2, 3)]
    jpeg = worst_frame(frames["live/a.mp4 frame 3"], decode, every=2)
    assert jpeg is not None
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(jpeg), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert round(float(pixels.mean()) / 40) == 4


def test_a_threshold_of_a_development_set_is_evaluated_on_this_set() -> None:
    """The attacks there are weaker, so its threshold lets an attack of this set pass."""
    weak = [
        presentation(estimate(value), name=f"{value}", species=species)
        for value, species in ((0.9, ""), (0.8, ""), (0.5, "print"), (0.4, "print"))
    ]
    development = [score(one, RULES, 1) for one in weak]
    scored = [score(one, RULES, 1) for one in SET]
    result = summarise(scored, RULES, unit="presentation", window=1, development=development)
    (equal,) = [one for one in result["whatToSet"] if one["aim"] == "equal error"]
    assert 0.5 < equal["livenessScore"] <= 0.8
    assert (equal["bpcer"], result["development"]) == (pytest.approx(1 / 3), 4)
    own = summary(*SET)
    assert own["development"] == 0
    assert own["whatToSet"] != result["whatToSet"]
    assert not any("also in the development set" in note for note in result["notes"])
    again = summarise(scored, RULES, unit="presentation", window=1, development=scored)
    assert any("6 subject(s) are also in the development set" in note for note in again["notes"])


def test_live_presentations_are_counted_by_group() -> None:
    """Refusals of each group, by liveness alone and as served, and by check.

    Attacks have no group.
    """
    result = summary(
        presentation(estimate(0.9), name="live/a", group="beard"),
        presentation(estimate(0.8, head_pose=AWAY), name="live/b", group="beard"),
        presentation(estimate(0.2), name="live/c", group="glasses"),
        presentation(estimate(0.9), name="live/d"),
        presentation(estimate(0.9), name="x", species="print", group="beard"),
    )
    beard, glasses = result["groups"]["beard"], result["groups"]["glasses"]
    assert (beard["bpcer"]["errors"], beard["served"]["errors"], beard["served"]["of"]) == (0, 1, 2)
    assert beard["codes"] == [[Code.TURN_LEFT, "Turn your head left", 1]]
    assert (glasses["bpcer"]["errors"], glasses["served"]["errors"]) == (1, 1)
    page = html(result, "Groups", lambda name: None)
    assert "20 Turn your head left: 1" in page
    assert "Live presentations by group" not in html(summary(*SET), "None", lambda name: None)
