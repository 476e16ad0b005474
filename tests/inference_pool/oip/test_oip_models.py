"""The models behind real inference servers: same measurements, failover, and failing closed."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference_pool.backends import load_backend
from inference_pool.estimator import Estimator
from inference_pool.onnx.backend import OnnxBackend
from shared.codes import Code
from shared.config.service import Config
from shared.errors import ModelError
from shared.frame.checks import Rules
from shared.frame.estimation import Backend, Estimate, Image, Profile, Stage
from tests.inference_pool.oip.conftest import Server
from tests.support.ports import free_port
from tests.support.waiting import wait_for

RULES = Rules()
pytestmark = pytest.mark.timeout(900)  # the first one may have to install the server


@pytest.fixture(scope="module")
def server(start: Callable[..., Server]) -> Server:
    return start()


@pytest.fixture(autouse=True)
def mended(server: Server) -> Any:
    yield
    server.mend()


def config(models: Path, *addresses: str, **settings: Any) -> Config:
    return Config.model_validate(
        {
            "WORKERS": {"backend": "oip"},
            "MODELS": {"directory": str(models)},
            "OIP": {"endpoints": list(addresses), "timeout": 20.0, **settings},
        }
    )


def estimate(backend: Backend, image: Image) -> Estimate:
    return Estimator(backend, RULES).estimate(image, Profile.PASSIVE)


def test_a_server_gives_the_same_estimate_as_local_files(
    server: Server, models_directory: Path, portrait: Image
) -> None:
    """The same networks run on the server and locally."""
    there = estimate(load_backend(config(models_directory, server.address)), portrait)
    local = Config.model_validate(
        {"MODELS": {"directory": str(models_directory), "rewritePrelu": False}}
    )
    here = estimate(OnnxBackend.from_config(local), portrait)
    assert there.ok
    assert there.stage is Stage.LIVENESS
    assert there.face == here.face
    assert there.liveness is not None
    assert here.liveness is not None
    assert there.liveness.score == pytest.approx(here.liveness.score, abs=1e-4)
    assert there.head_pose is not None
    assert here.head_pose is not None
    assert there.head_pose.yaw == pytest.approx(here.head_pose.yaw, abs=0.01)
    assert len(there.models) == 16
    assert there.models != here.models  # the servers do not reveal the contents of their files


def test_another_endpoint_answers(server: Server, models_directory: Path, portrait: Image) -> None:
    """An endpoint without a server is skipped, at start-up and later."""
    dead = f"grpc://127.0.0.1:{free_port()}"
    backend = load_backend(config(models_directory, dead, server.address))
    assert estimate(backend, portrait).ok


def test_a_dead_server_fails_closed_and_recovers(
    start: Callable[..., Server], server: Server, models_directory: Path, portrait: Image
) -> None:
    """Without servers every frame fails with a code; a server that returns is used again."""
    mortal = start()
    alone = load_backend(config(models_directory, mortal.address))
    paired = load_backend(config(models_directory, mortal.address, server.address))
    assert estimate(alone, portrait).ok
    mortal.kill()
    assert estimate(alone, portrait).errors == (Code.ESTIMATION_FAILED,)
    assert estimate(paired, portrait).ok


def test_a_slow_server_fails_closed(
    server: Server, models_directory: Path, portrait: Image
) -> None:
    """An answer after the timeout is a failure; the next good answer counts again."""
    backend = load_backend(config(models_directory, server.address, timeout=2.0))
    server.delay(20)
    assert estimate(backend, portrait).errors == (Code.ESTIMATION_FAILED,)
    server.mend()
    wait_for(lambda: estimate(backend, portrait).ok)  # a busy machine may be slow, too


def test_an_answer_of_nan_fails_closed(
    server: Server, models_directory: Path, portrait: Image
) -> None:
    """NaN from a broken model passes no threshold."""
    backend = load_backend(config(models_directory, server.address))
    server.spoil()
    assert estimate(backend, portrait).errors == (Code.ESTIMATION_FAILED,)


def test_a_missing_required_model_stops_the_start(
    start: Callable[..., Server], models_directory: Path
) -> None:
    """Without a liveness model the start fails; without the optional model it does not."""
    poor = start(without=("liveness_v2", "glasses"))
    with pytest.raises(ModelError, match="liveness_v2"):
        load_backend(config(models_directory, poor.address))


def test_an_unreachable_server_stops_the_start(models_directory: Path) -> None:
    """Without a server the error is one line with the model and the reason."""
    with pytest.raises(ModelError, match=r"\[OIP\]") as caught:
        load_backend(config(models_directory, f"grpc://127.0.0.1:{free_port()}"))
    assert "\n" not in str(caught.value)


def test_an_unresponsive_server_stops_the_start(models_directory: Path) -> None:
    """A port that accepts and never answers costs only the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"grpc://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(ModelError):
            load_backend(config(models_directory, address, timeout=0.5))
