from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference_pool.models.store import ModelStore
from inference_pool.onnx.detector import YuNet
from shared.estimation import Image


@pytest.fixture(scope="module")
def yunet(models: ModelStore) -> YuNet:
    return YuNet(models.session("detector"))


def test_one_face_with_its_points(yunet: YuNet, portrait: Image) -> None:
    """The box holds the points, eyes above nose above mouth, the picture's left one first."""
    (face,) = yunet.detect(portrait)
    box, points = face.box, face.points
    assert points.shape == (5, 2)
    assert (points >= (box.x, box.y)).all()
    assert (points <= (box.x + box.width, box.y + box.height)).all()
    assert max(points[:2, 1]) < points[2, 1] < min(points[3:, 1])
    assert points[0, 0] < points[2, 0] < points[1, 0]
    assert points[3, 0] < points[4, 0]


def test_box_follows_scale_and_place(yunet: YuNet, portrait: Image) -> None:
    """Boxes are in pixels of the frame, whatever its size and shape."""
    (near,) = yunet.detect(portrait)
    wide = np.zeros((600, 1600, 3), np.uint8)
    wide[100:580, 700:1340] = portrait
    (moved,) = yunet.detect(wide)
    centre = (moved.box.x + moved.box.width / 2, moved.box.y + moved.box.height / 2)
    expected = (700 + near.box.x + near.box.width / 2, 100 + near.box.y + near.box.height / 2)
    assert centre == pytest.approx(expected, abs=0.1 * near.box.width)
    assert moved.box.width == pytest.approx(near.box.width, rel=0.15)


@pytest.mark.parametrize("size", [(240, 320), (480, 640), (1080, 1920)])
def test_empty_frame_has_no_face(yunet: YuNet, size: tuple[int, int]) -> None:
    """Grey and noise are no faces."""
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    assert yunet.detect(np.full((*size, 3), 127, np.uint8)) == []
    assert yunet.detect(noise) == []


def test_two_faces(yunet: YuNet, portrait: Image) -> None:
    """Two people side by side are two faces, none found twice."""
    assert len(yunet.detect(np.hstack((portrait, portrait)))) == 2


def test_nothing_is_left_of_the_frame_before(yunet: YuNet, portrait: Image) -> None:
    """The network's input keeps nothing of a wider frame that came before."""
    tall = cv2.resize(portrait, (160, 480))
    alone = [face.box for face in yunet.detect(np.zeros_like(tall))]
    yunet.detect(portrait)
    assert [face.box for face in yunet.detect(np.zeros_like(tall))] == alone == []
