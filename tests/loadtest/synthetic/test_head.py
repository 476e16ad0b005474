"""Geometry of the synthetic head, without any model."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.synthetic.features import CHIN, LOWER_INNER_LIP, MESH_POINTS, UPPER_INNER_LIP
from loadtest.synthetic.head import Head, rotation
from loadtest.synthetic.look import Look
from loadtest.synthetic.portrait import Portrait

NOSE = np.array([0.0, 0.0, -1.0])
HEIGHT_OF_EYES = np.array([1.0, 0.0, 0.0])


def test_positive_yaw_points_the_nose_right() -> None:
    """The person's own left is the image's right."""
    assert (rotation(20, 0, 0) @ NOSE)[0] == pytest.approx(np.sin(np.radians(20)))


def test_positive_pitch_points_the_nose_up() -> None:
    """Chin up is a nose that points up, towards smaller y."""
    assert (rotation(0, 20, 0) @ NOSE)[1] == pytest.approx(-np.sin(np.radians(20)))


def test_positive_roll_is_clockwise() -> None:
    """Points on the right move down, towards greater y."""
    assert (rotation(0, 0, 20) @ HEIGHT_OF_EYES)[1] == pytest.approx(np.sin(np.radians(20)))


@pytest.fixture(scope="module")
def head(fitted: Portrait) -> Head:
    return Head(fitted.mesh)


def test_the_neutral_look_moves_nothing(head: Head) -> None:
    """Every point stays in place."""
    assert head.moved(Look()) == pytest.approx(head.rest)


def test_outermost_ring_never_moves(head: Head) -> None:
    """The outer border of the surroundings never moves."""
    moved = head.moved(Look(yaw=20, pitch=-15, roll=10, mouth_open=1))
    ring = slice(MESH_POINTS, MESH_POINTS + 36)
    assert moved[ring] == pytest.approx(head.rest[ring])


def test_open_mouth_drops_chin_and_lower_lip_only(head: Head) -> None:
    """The jaw goes down by more than the chin's skin, the upper lip stays."""
    motion = head.moved(Look(mouth_open=1)) - head.rest
    assert np.abs(motion[list(UPPER_INNER_LIP)[1:-1]]).max() == 0
    middle = LOWER_INNER_LIP[5]
    assert motion[middle, 1] > 0
    assert motion[CHIN, 1] > 0.5 * motion[middle, 1]


def test_face_triangles_are_of_face_points(head: Head) -> None:
    """The face's triangles use face points, the surroundings' only ring points."""
    assert head.face.max() < MESH_POINTS <= head.surroundings.min()
    assert head.surroundings.max() == len(head.rest) - 1
