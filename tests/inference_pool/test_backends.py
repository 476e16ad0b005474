from __future__ import annotations

from pathlib import Path

import pytest

from inference_pool.backends import load_backend
from inference_pool.onnx.backend import OnnxBackend
from shared.config.service import Config
from shared.errors import ModelError, StartupError
from tests.inference_pool.recording import RecordingBackend


class FromConfig(RecordingBackend):
    @classmethod
    def from_config(cls, config: Config) -> FromConfig:
        return cls(glasses_answer="eyeglasses")


class FromCall(RecordingBackend):
    def __init__(self, config: Config) -> None:
        super().__init__(ags_answer=config.LIVENESS.THRESHOLDS.ags)


def config(backend: str, directory: str = "models") -> Config:
    return Config.model_validate(
        {"WORKERS": {"backend": backend}, "MODELS": {"directory": directory}}
    )


def test_a_class_with_from_config_is_created_by_it() -> None:
    """``from_config`` gets the configuration."""
    assert isinstance(load_backend(config(f"{__name__}:FromConfig")), FromConfig)


def test_a_class_without_from_config_is_called() -> None:
    """It is called with the configuration."""
    backend = load_backend(config(f"{__name__}:FromCall"))
    assert isinstance(backend, FromCall)
    assert backend.ags_answer == 0.8


@pytest.mark.parametrize("name", ["onxx", ":", "nowhere.at_all:Class", f"{__name__}:Absent"])
def test_unknown_backend_is_a_startup_error(name: str) -> None:
    """A backend that cannot be loaded is refused in one line that names the key and the value."""
    with pytest.raises(StartupError, match=r"WORKERS\.backend") as caught:
        load_backend(config(name))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_onnx_is_built_in(models_directory: Path) -> None:
    """The default backend loads the models of the configured folder."""
    backend = load_backend(config("onnx", str(models_directory)))
    assert isinstance(backend, OnnxBackend)
    assert backend.capabilities.passive_liveness


def test_onnx_without_models_does_not_start(tmp_path: Path) -> None:
    """A missing model file is a start-up error, before anything runs."""
    with pytest.raises(ModelError):
        load_backend(config("onnx", str(tmp_path)))
