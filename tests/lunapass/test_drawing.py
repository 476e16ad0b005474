from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from lunapass.drawing import BAD, GOOD, MESH, draw, scores
from shared.codes import Code, hint
from shared.frame.estimation import Box, Estimate, Eyes, HeadPose, Liveness, Mouth, Quality

FRAME = np.zeros((480, 640, 3), np.uint8)
FULL = Estimate(
    640,
    480,
    faces=1,
    face=Box(300, 200, 100, 150),
    quality=Quality(0.9, 0.8, 0.7, 0.6, 0.5),
    head_pose=HeadPose(11.0, -12.0, 13.0),
    eyes=Eyes(0.31, 0.32, True, True),
    mouth=Mouth(0.01, 0.02, 0.03),
    glasses="eyeglasses",
    ags=0.88,
    liveness=Liveness(0.77, 0.66),
)


def colours(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in np.unique(picture.reshape(-1, 3), axis=0).tolist()}


def test_box_shows_the_verdict() -> None:
    """The box is green on a frame that passed and red on one that failed."""
    failed = Estimate(640, 480, errors=(Code.BLURRED,), faces=1, face=Box(300, 200, 100, 150))
    assert tuple(draw(FRAME, FULL, None)[200, 350]) == GOOD
    assert tuple(draw(FRAME, failed, None)[200, 350]) == BAD


def test_mesh_is_drawn_if_there_is_one() -> None:
    """A face of a backend with a mesh shows its points, any other does not."""
    face = SimpleNamespace(mesh=np.array([[400.0, 100.0, 3.0]], np.float32))
    assert tuple(draw(FRAME, FULL, face)[100, 400]) == MESH  # type: ignore[arg-type]
    assert MESH not in colours(draw(FRAME, FULL, None))


def test_frame_is_not_modified() -> None:
    """The drawing is on a copy, even if no face was found."""
    drawn = draw(FRAME, Estimate(640, 480, errors=(Code.NO_FACE,)), None)
    assert drawn.any()
    assert not FRAME.any()


def test_scores_are_written_in_words() -> None:
    """Failures come first with their hints, and every measurement is there."""
    failed = Estimate(640, 480, errors=(Code.NO_FACE,))
    assert list(scores(failed)) == [f"8 {hint(Code.NO_FACE)}"]
    refused = Estimate(640, 480, errors=(Code.LOW_LIVENESS,))
    assert list(scores(refused)) == ["32 Not judged live"]  # not "Go on", which the person reads
    text = "\n".join(scores(FULL))
    assert text.startswith("ok\n")
    measures = "blur 0.90  light 0.80  darkness 0.70  illumination 0.60  specularity 0.50"
    for written in ("yaw 11", measures, "0.31 0.32", "eyeglasses", "ags 0.88", "quality 0.66"):
        assert written in text
