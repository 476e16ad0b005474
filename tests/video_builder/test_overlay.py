"""The overlay shows the status that the client got; invalid values are ignored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.video import status_of
from video_builder import overlay

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "y", "width", "height"]), inner, max_size=4)
    ),
    max_leaves=8,
)


def test_box_and_hints_are_drawn() -> None:
    """The box is in its place, in the colour of a refused frame; the text is on the left."""
    image = np.zeros((480, 640, 3), np.uint8)
    overlay.draw(image, 3, 400, status_of(0, 9))
    assert image[200, 100].tolist() == list(overlay.BAD)
    assert image[:70, :300].any()
    assert next(overlay.hints(status_of(0, 9))).startswith("3 ")


def test_a_passed_frame_is_green() -> None:
    """Good and bad differ in colour."""
    image = np.zeros((480, 640, 3), np.uint8)
    overlay.draw(image, 3, 400, status_of(9, 9))
    assert image[200, 109].tolist() == list(overlay.GOOD)


@given(errors=JSON, rect=JSON, ok=JSON)
def test_no_status_stops_the_video(errors: Any, rect: Any, ok: Any) -> None:
    """This holds for any JSON."""
    status = {"isOk": ok, "errors": errors, "details": {"faceFramePosition": {"faceRect": rect}}}
    overlay.draw(np.zeros((48, 64, 3), np.uint8), 1, 0, status)


@pytest.mark.parametrize("status", [{}, {"details": None}, {"details": {"faceFramePosition": 1}}])
def test_without_a_face_there_is_no_box(status: dict[str, Any]) -> None:
    """The frame has no face."""
    assert overlay.face_corners(status) is None
