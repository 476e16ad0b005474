"""The default similarity, tested on descriptors of real images and of a synthetic person."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from aggregator.plugins.face_matcher import TURNED_FACE_SHARE
from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from inference_pool.onnx.backend import OnnxBackend
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from lunapass.demo import portrait_of
from shared.config.service import Config
from shared.frame.estimation import Image
from shared.wire.messages import Open
from tests.support.judge import SESSION, live, plugin_config, shot

SIMILARITY = Config().MIDDLEWARES.WS.FaceMatcher.args.similarity
LEAST = TURNED_FACE_SHARE * SIMILARITY
PEOPLE = ("astronaut.png", "obama.jpg", "src_man1.jpg", "src_man3.jpg")
STRAIGHT = [Look(yaw=8), Look(yaw=-8), Look(pitch=8), Look(pitch=-8)]
SHUT = Look(left_eye_closed=1, right_eye_closed=1)
TURNED = [Look(yaw=yaw) for yaw in (-26, -20, 20, 26, 32)] + [Look(pitch=p) for p in (-22, 24)]


@pytest.fixture(scope="module")
def backend(models_directory: Path) -> OnnxBackend:
    config = Config.model_validate({"MODELS": {"directory": str(models_directory)}})
    return OnnxBackend.from_config(config)


def described(image: Image, backend: OnnxBackend) -> np.ndarray:
    face = max(backend.detect(image), key=lambda found: found.box.area)
    backend.head_pose(image, face)
    return np.frombuffer(backend.descriptor(image, face), np.float32)


@pytest.fixture(scope="module")
def people(backend: OnnxBackend, media: Path) -> dict[str, Person]:
    pictures = {name: cv2.imread(str(media / "stills" / name)) for name in PEOPLE}
    return {name: Person(portrait_of(one, backend)) for name, one in pictures.items()}  # type: ignore[arg-type]


@pytest.mark.media
def test_different_people_are_distinguished(
    people: dict[str, Person], backend: OnnxBackend
) -> None:
    """Straight or turned, a stranger does not reach even the share required of a turned face."""
    faces = {
        name: [described(person.render(look), backend) for look in (Look(), TURNED[0], TURNED[2])]
        for name, person in people.items()
    }
    for one, other in combinations(PEOPLE, 2):
        highest = max(float(a @ b) for a in faces[one] for b in faces[other])
        assert highest < LEAST, (one, other)


@pytest.mark.media
@pytest.mark.parametrize("name", PEOPLE)
def test_one_person_matches(people: dict[str, Person], backend: OnnxBackend, name: str) -> None:
    """Straight faces reach the similarity, turned ones the share of it."""
    person = people[name]
    first = described(person.render(Look()), backend)
    for look in (*STRAIGHT, SHUT):
        assert float(first @ described(person.render(look), backend)) >= SIMILARITY, look
    for look in TURNED:
        assert float(first @ described(person.render(look), backend)) >= LEAST, look


@pytest.mark.media
def test_frames_of_two_people_do_not_count_together(
    people: dict[str, Person], backend: OnnxBackend
) -> None:
    """This holds with AggregateLiveness alone."""
    config = plugin_config({"AggregateLiveness": {"framesCount": 3}})
    session = JudgedSession(
        Open("", SESSION, 1000.0, 7, bytes(32)), Registry(config).plugins(), config.LIVENESS
    )
    looks = (Look(), Look(yaw=8), Look(yaw=-8))
    shown = [(PEOPLE[0], look) for look in looks[:2]] + [(PEOPLE[1], look) for look in looks]
    outcomes = []
    for seq, (name, look) in enumerate(shown, 1):
        descriptor = described(people[name].render(look), backend).tobytes()
        estimate = live(descriptor=descriptor)
        outcome = session.fold(seq, 1000.0 + seq, estimate, None, replay=False, shot=shot(seq))
        outcomes.append(outcome)
    accepted = [isinstance(outcome, Outcome) and outcome.accepted for outcome in outcomes]
    assert accepted == [False, False, False, False, True]
