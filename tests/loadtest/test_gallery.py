"""A gallery returns the nearest frame, and can be stored in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import simplejpeg

from loadtest.gallery import Gallery, looks, of_images
from loadtest.synthetic.look import Look
from shared.errors import ResourceError
from tests.support.stamp import read_stamp, stamped_jpeg


def named() -> Gallery:
    """A gallery whose frames are texts that name the looks."""
    return Gallery.render(lambda look: repr(look).encode())


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (Look(yaw=27.3, pitch=0.4), Look(yaw=28)),
        (Look(yaw=-13), Look(yaw=-12)),
        (Look(pitch=17.5, roll=0.3), Look(pitch=16)),
        (
            Look(yaw=0.2, left_eye_closed=0.93, right_eye_closed=0.95),
            Look(left_eye_closed=1, right_eye_closed=1),
        ),
        (Look(distance=1.75), Look(distance=1.8)),
    ],
)
def test_the_nearest_look_is_shown(wanted: Look, shown: Look) -> None:
    """A gesture with sway gives the frame of that gesture."""
    gallery = named()
    assert gallery.looks[gallery.nearest_number(wanted)] == shown


def test_holding_still_moves_a_little() -> None:
    """Sway chooses among several straight frames."""
    gallery = named()
    shown = {gallery.nearest_number(Look(yaw=yaw / 10, pitch=yaw / 20)) for yaw in range(-15, 16)}
    assert len(shown) > 2


def test_a_gallery_survives_a_round_trip(tmp_path: Path) -> None:
    """A saved gallery is loaded unchanged."""
    gallery = named()
    gallery.save(tmp_path / "folder" / "gallery")
    again = Gallery.load(tmp_path / "folder" / "gallery")
    assert (again.looks, again.frames) == (gallery.looks, gallery.frames)


def test_its_camera_adds_new_noise_to_the_nearest_look() -> None:
    """No two frames are equal."""
    numbers = {look: number for number, look in enumerate(looks(), 1)}
    camera = Gallery.render(lambda look: stamped_jpeg(1, numbers[look])).camera()
    shots = {camera(Look(yaw=27.5)) for _ in range(20)}
    assert len(shots) == 20
    shown = {read_stamp(simplejpeg.decode_jpeg(shot, "BGR")) for shot in shots}
    assert shown == {(1, numbers[Look(yaw=28)])}


@pytest.mark.parametrize("content", [b"", b"not packed", b"\x93\x01\x90\x90", b"\x93\x09\x90\x90"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    """Any other content of the file is damage."""
    path = tmp_path / "gallery"
    path.write_bytes(content)
    with pytest.raises(ResourceError, match="gallery"):
        Gallery.load(path)


def test_custom_images_are_shown_in_turn(tmp_path: Path) -> None:
    """All given images are shown, selected by sway."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    gallery = of_images(list(tmp_path.iterdir()))
    shown = {gallery.frames[gallery.nearest_number(Look(yaw=yaw))] for yaw in (-1.5, 0, 1.5)}
    assert shown == set(gallery.frames)


def test_equal_seeds_give_equal_looks() -> None:
    """A gallery is the same on every machine."""
    assert list(looks(3)) == list(looks(3))
