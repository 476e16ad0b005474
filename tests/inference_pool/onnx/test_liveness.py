from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from inference_pool.models.manifest import Kind, load_manifest
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.liveness import PAIR, REGISTRY, THIRD, PassiveLiveness, liveness_models
from shared.errors import EstimationError, ModelError
from shared.frame.estimation import Box, Image

GRADIENT = np.dstack(
    (
        np.tile(np.linspace(0, 80, 640), (480, 1)),
        np.full((480, 640), 120.0),
        np.tile(np.linspace(170, 255, 480)[:, None], (1, 640)),
    )
).astype(np.uint8)
"""An image with different ranges of blue, green and red."""


class Session:
    """A stand-in for a network: keeps its input and returns the given logits."""

    def __init__(self, logits: tuple[float, ...] = (0.0, 0.0, 0.0), *, size: int = 80) -> None:
        self._logits = logits
        self._size = size
        self.seen = np.empty(0)

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="input", shape=[1, 3, self._size, self._size])]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="output")]

    def run(self, outputs: object, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.seen = inputs["input"].copy()
        return [np.array([self._logits], np.float32)]


def pair(v2: Any, v1se: Any) -> PassiveLiveness:
    return PassiveLiveness(PAIR, [v2, v1se])


def still(media: Path, name: str) -> Image:
    return np.asarray(cv2.imread(str(media / "pad" / f"minivision_{name}.jpg")), np.uint8)


def score(backend: OnnxBackend, image: Image, judged: Image) -> float:
    """Return the liveness of ``judged`` at the face found in ``image``."""
    (face,) = backend.detect(image)
    return backend.liveness(judged, face).score


def test_input_is_bgr_in_0_to_255() -> None:
    """Both networks get blue, green and red planes in this order, in the range of the pixels."""
    v2, v1se = Session(), Session()
    pair(v2, v1se).measure(GRADIENT, Box(260, 180, 100, 120))
    for session in (v2, v1se):
        blue, green, red = session.seen[0]
        assert blue.max() <= 80
        assert green.min() == green.max() == 120
        assert red.min() >= 170


def test_crops_are_scaled_about_the_face() -> None:
    """The second network gets more of the surroundings, in the proportion of the scales."""
    v2, v1se = Session(), Session()
    pair(v2, v1se).measure(GRADIENT, Box(270, 190, 100, 100))
    spans = [float(np.ptp(session.seen[0, 0])) for session in (v2, v1se)]
    assert spans[1] / spans[0] == pytest.approx(4.0 / 2.7, rel=0.05)
    assert [model.scale for model in PAIR] == [2.7, 4.0]


def test_crop_at_the_border_is_shifted_inside() -> None:
    """A face in the corner is judged with existing pixels, not with black ones."""
    v2, v1se = Session(), Session()
    pair(v2, v1se).measure(GRADIENT, Box(0, 0, 100, 100))
    assert v2.seen[0, 1].min() == v1se.seen[0, 1].min() == 120


def pair_score(live_a: float, live_b: float) -> float:
    """Return the score of two networks that give a live face these probabilities."""
    rest_a, rest_b = ((1 - live) / 2 for live in (live_a, live_b))
    logits = [
        tuple(float(np.log(max(share, 1e-30))) for share in (rest, live, rest))
        for rest, live in ((rest_a, live_a), (rest_b, live_b))
    ]
    sessions = (Session((a, b, c)) for a, b, c in logits)
    return pair(*sessions).measure(GRADIENT, Box(260, 180, 100, 120)).score


def test_score_is_the_probability_of_the_mean_log_odds() -> None:
    """Class 1 is live; the two networks have equal weight. Odds of 9 and 1 have the mean 3: .75."""
    assert pair_score(0.9, 0.5) == pytest.approx(0.75, abs=1e-6)
    assert pair_score(0.5, 0.9) == pytest.approx(0.75, abs=1e-6)
    assert pair_score(1 / 3, 1 / 3) == pytest.approx(1 / 3, abs=1e-6)


def test_a_threshold_of_a_half_is_the_same_for_log_odds_and_probabilities() -> None:
    """Odds whose product is 1 belong to probabilities whose sum is 1."""
    steps = np.linspace(0.005, 0.995, 34)
    for a in steps:
        for b in steps:
            if abs(a + b - 1) > 1e-3:
                assert (pair_score(float(a), float(b)) >= 0.5) == (a + b > 1), (a, b)


def test_a_certain_network_cannot_outvote_the_other() -> None:
    """The log odds are limited in both directions, even for probabilities of 0 and 1."""
    assert pair_score(1.0, 0.5) == pytest.approx(100 / 101, abs=1e-3)
    assert pair_score(1.0, 0.0) == pytest.approx(0.5)
    assert pair_score(1.0, 1.0) == pytest.approx(0.9999)
    assert pair_score(0.0, 0.0) == pytest.approx(0.0001)


@pytest.mark.parametrize("logit", [np.nan, np.inf])
def test_nan_is_no_live_face(logit: float) -> None:
    """NaN or infinity fails the stage, because NaN could pass a comparison."""
    for sessions in ((Session((0, logit, 0)), Session()), (Session(), Session((logit, 0, 0)))):
        with pytest.raises(EstimationError):
            pair(*sessions).measure(GRADIENT, Box(260, 180, 100, 120))


def test_the_network_of_the_registry() -> None:
    """Its input is blue, green and red in 0..255, too, of 128 pixels; class 0 is live."""
    session: Any = Session((50.0, 0.0, 0.0), size=128)
    measured = PassiveLiveness(REGISTRY, [session]).measure(GRADIENT, Box(260, 180, 100, 120))
    assert measured.score == pytest.approx(1, abs=1e-3)
    assert session.seen.shape == (1, 3, 128, 128)
    assert session.seen[0, 0].max() <= 80
    assert session.seen[0, 2].min() >= 170


def three(third: Any) -> PassiveLiveness:
    return PassiveLiveness((*PAIR, THIRD), [Session(), Session(), third])


def test_the_third_network_sees_a_square_in_rgb() -> None:
    """Its side is twice the longer side of the box; values are 0..1, scaled evenly."""
    session: Any = Session((0.0, 0.0), size=128)
    three(session).measure(GRADIENT, Box(270, 180, 100, 120))
    red, green, blue = session.seen[0]
    assert green.min() == green.max() == pytest.approx(120 / 255)
    assert red.min() >= 170 / 255 > 80 / 255 >= blue.max()
    assert np.ptp(blue) == pytest.approx(80 / 255 * 239 / 639, abs=1.5 / 255)
    assert np.ptp(red) == pytest.approx(85 / 255 * 239 / 479, abs=1.5 / 255)


@pytest.mark.parametrize("box", [Box(-10, 180, 100, 120), Box(560, 180, 100, 120)])
def test_the_border_of_the_frame_is_reflected(box: Box) -> None:
    """The face stays in the centre; beyond the border the image is mirrored."""
    session: Any = Session((0.0, 0.0), size=128)
    three(session).measure(GRADIENT, box)
    blue = session.seen[0, 2, 64] * 255
    centre = (box.x + box.width / 2) / 639 * 80
    assert blue[63:65].mean() == pytest.approx(centre, abs=1.0)
    turns = np.sign(np.diff(blue))[np.abs(np.diff(blue)) > 0]
    assert {-1.0, 1.0} == set(turns)


@pytest.mark.parametrize("size", [1, 3, 2000])
def test_any_box_is_judged_or_refused(size: int) -> None:
    """This includes a face of one pixel, and one larger than the frame."""
    session: Any = Session((0.0, 0.0), size=128)
    three(session).measure(GRADIENT, Box(639 - size // 2, 479 - size // 2, size, size))
    assert session.seen[0, 1] == pytest.approx(120 / 255)
    with pytest.raises(EstimationError, match="outside of the image"):
        three(session).measure(GRADIENT, Box(3000, 3000, 10, 10))


def test_three_networks_have_equal_weight() -> None:
    """Class 0 of the third one is live; those of the pair give a third of 1."""
    measured = three(Session((3.0, 0.0), size=128)).measure(GRADIENT, Box(260, 180, 100, 120))
    mean = (3.0 - 2 * np.log(2)) / 3
    assert measured.score == pytest.approx(1 / (1 + np.exp(-mean)))


def test_a_missing_third_network_stops_the_start(models_directory: Path, tmp_path: Path) -> None:
    """The configuration asked for it, so the service must not judge without it."""
    for file in models_directory.iterdir():
        if file.name != load_manifest().reference[THIRD.role].file:
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(ModelError, match="run 'lunapass models pull --with facenox'"):
        OnnxBackend(ModelStore(tmp_path, provider="cpu"), third_liveness=True)
    with pytest.raises(ModelError, match="the fallback set has no third network"):
        liveness_models(Kind.FALLBACK, third=True)


def test_the_real_third_network(models_directory: Path, media: Path) -> None:
    """It joins the pair, is named in the digest, and outputs an embedding for a site head."""
    store = ModelStore(models_directory, provider="cpu", embeddings=True)
    if not store.available(THIRD.role):
        pytest.skip(f"the optional model {THIRD.role} is not in {models_directory}")
    alone = OnnxBackend(store)
    joined = OnnxBackend(store, third_liveness=True)
    live, print_ = still(media, "T1_real"), still(media, "F1_print")
    assert score(joined, live, live) > 0.9
    assert score(joined, print_, print_) < score(alone, print_, print_) < 0.3
    assert joined.capabilities.models != alone.capabilities.models


def test_the_fallback_set_judges_passively(fallback_models: Path, media: Path) -> None:
    """The models from a package registry alone distinguish the print from the live face."""
    fallback = OnnxBackend(ModelStore(fallback_models))
    live, print_ = still(media, "T1_real"), still(media, "F1_print")
    assert score(fallback, live, live) > 0.8
    assert score(fallback, print_, print_) < 0.1
    swapped = np.ascontiguousarray(print_[:, :, ::-1])
    assert score(fallback, print_, swapped) > score(fallback, print_, print_)
    extended = OnnxBackend(ModelStore(fallback_models, embeddings=True))
    assert score(extended, live, live) == score(fallback, live, live)


def test_live_face_and_paper_print(backend: OnnxBackend, media: Path) -> None:
    """The live face passes the default threshold and the print does not."""
    live, print_ = still(media, "T1_real"), still(media, "F1_print")
    assert score(backend, live, live) > 0.9
    assert score(backend, print_, print_) < 0.3


def test_swapped_colours_would_let_the_print_pass(backend: OnnxBackend, media: Path) -> None:
    """The order of the colours decides about this attack, so this test detects a swap."""
    print_ = still(media, "F1_print")
    assert score(backend, print_, np.ascontiguousarray(print_[:, :, ::-1])) > 0.5


def test_range_of_0_to_1_would_reject_the_live_face(backend: OnnxBackend, media: Path) -> None:
    """The range of the pixels decides about every live face."""
    live = still(media, "T1_real")
    assert score(backend, live, (live / 255).astype(np.uint8)) < 0.1


def quality_score(box: Box) -> float:
    return pair(Session(), Session()).measure(GRADIENT, box).quality_score


def test_the_quality_score_falls_as_the_face_fills_the_frame() -> None:
    """The networks need surroundings: the fuller the frame, the less reliable is the result."""
    sides = [
        quality_score(Box(320 - half, 240 - half, 2 * half, 2 * half))
        for half in range(60, 241, 20)
    ]
    assert sides == sorted(sides, reverse=True)
    assert (sides[0], sides[-1]) == (1, 0)


def test_the_quality_score_falls_with_the_pixels_of_the_face() -> None:
    """A face of few pixels cannot be judged."""
    assert quality_score(Box(300, 200, 40, 40)) == 0 < quality_score(Box(300, 200, 80, 80)) < 1


def test_smallest_allowed_face_in_a_vga_frame_has_enough_quality() -> None:
    """The defaults of size and quality score agree with each other on a common camera."""
    assert quality_score(Box(220, 100, 200, 270)) > 0.5


def test_pixels_between_those_that_a_sampler_reads_count() -> None:
    """An image hidden in 2 % of the pixels does not replace the one that people see.

    The pixels are those that linear interpolation reads to shrink the crop to 80 by 80.
    """
    box = Box(500, 500, 300, 300)
    shown = np.full((1800, 1800, 3), 60, np.uint8)
    mix = shown.copy()
    for scale in (2.7, 4.0):
        side = round(300 * scale)
        left = round(650 - side / 2)
        offsets = (np.arange(80) + 0.5) * side / 80 - 0.5
        read = np.unique(left + np.concatenate([offsets.astype(int), offsets.astype(int) + 1]))
        mix[np.ix_(read, read)] = 240
        crop = mix[left : left + side, left : left + side]
        assert cv2.resize(crop, (80, 80)).min() > 200  # the input the network would have had
    assert (mix == 240).mean() < 0.03
    v2, v1se = Session(), Session()
    pair(v2, v1se).measure(mix, box)
    for session in (v2, v1se):
        assert abs(float(session.seen.mean()) - 60) < 40
        assert float(session.seen.max()) < 200
