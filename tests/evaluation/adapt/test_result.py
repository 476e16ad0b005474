"""The recommendation follows from the figures, and the file contains them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from evaluation.adapt.checking import Comparison
from evaluation.adapt.observing import Gathered
from evaluation.adapt.result import Adaptation, head_file
from evaluation.adapt.training import LinearHead, Trained
from evaluation.samples import LIVE
from inference_pool.onnx.site_head import HeadErrors
from tests.evaluation.adapt.observed import FEATURES, observed

MODELS = {"liveness_v2": "a" * 64}


def adaptation(live: float, attacks: float) -> Adaptation:
    """A head whose cross-validation applies the given correction to live frames and attacks."""
    observations = observed(4, log_odds=8.0)
    before = np.array([one.log_odds for one in observations])
    change = np.array([live if one.kind == LIVE else attacks for one in observations])
    zeros = np.zeros(FEATURES)
    trained = Trained(LinearHead(zeros, zeros + 1, zeros, 0.5), before, before + change)
    gathered = Gathered(observations, Counter({"anna": 12, "boris": 4}), files={"f" * 64})
    return Adaptation(gathered, trained, head_file(gathered, trained, MODELS, seed=7))


def test_a_head_that_helps_is_recommended_with_a_caution() -> None:
    """Without a labelled set nothing is known about real attacks."""
    found = adaptation(0, -20)
    assert (
        "lowers the half total error on simulated recaptures from 50.0 % to 0.0 %" in found.advice
    )
    assert "--check" in found.advice
    assert found.is_recommended
    assert found.may_be_written


@pytest.mark.parametrize(("live", "attacks"), [(0, 0), (-20, 0)])
def test_a_head_that_does_not_help_is_not_recommended(live: float, attacks: float) -> None:
    """The message has its figures."""
    found = adaptation(live, attacks)
    assert found.advice.startswith("Do not use this head: its half total error")
    assert not found.is_recommended


def test_a_head_that_refuses_people_is_not_recommended() -> None:
    """It may refuse more attacks nevertheless."""
    found = adaptation(0, -20)
    origin = found.file.origin
    worse = replace(found, file=_with(found, HeadErrors(origin.before.live + 0.1, {"print": 0.0})))
    assert "Give frames of more people" in worse.advice


def _with(found: Adaptation, after: HeadErrors) -> object:
    import msgspec

    origin = msgspec.structs.replace(found.file.origin, after=after)
    return msgspec.structs.replace(found.file, origin=origin)


def test_the_labelled_set_decides() -> None:
    """Its figures replace those of the simulation."""
    before, after = HeadErrors(0.0, {"print": 0.4}), HeadErrors(0.0, {"print": 0.1})
    for interval, helps in (((-0.2, -0.1), True), ((-0.2, 0.01), False)):
        found = replace(adaptation(0, 0), comparison=Comparison([], before, after, interval))
        assert found.may_be_written == helps
        assert found.advice.startswith("Use this head" if helps else "Do not use this head")
        assert "from 20.0 % to 5.0 %" in found.advice
        assert found.data()["check"]["helps"] is helps


def test_a_head_without_an_interval_is_not_written() -> None:
    """The advice and the JSON say why there is none."""
    before, after = HeadErrors(0.0, {"print": 1.0}), HeadErrors(0.0, {"print": 0.0})
    comparison = Comparison([], before, after, None, "fewer than 6 people change it")
    found = replace(adaptation(0, 0), comparison=comparison)
    assert not found.may_be_written
    assert found.advice == (
        "Do not use this head: on the labelled set the half total error falls from 50.0 % to 0.0 %;"
        " there is no interval, because fewer than 6 people change it. No file was written."
    )
    check = found.data()["check"]
    assert (check["interval"], check["reason"]) == (None, "fewer than 6 people change it")


def test_file_names_its_data() -> None:
    """People, frames, recaptures, seed and the digest of the images."""
    origin = adaptation(0, -20).file.origin
    assert (origin.people, origin.frames, origin.recaptures, origin.seed) == (2, 16, 32, 7)
    assert origin.before.attacks == {"print": 1.0, "screen": 1.0}
    assert origin.after.attacks == {"print": 0.0, "screen": 0.0}
