"""The site head: only a file that fits the loaded networks corrects a score, within its limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_pool.estimator import Estimator
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend, passive_liveness
from inference_pool.onnx.site_head import MAX_LOWERING, MAX_RAISE, SiteHead, SiteHeadFile
from lunapass.start_check import check_start
from shared.config.rules import check
from shared.config.service import Config
from shared.errors import ConfigError, EstimationError, ModelError
from shared.frame.checks import Rules
from shared.frame.estimation import Box, Image, Profile

MODELS = {"liveness_v2": "a" * 64, "liveness_v1se": "b" * 64}
ERRORS = {"live": 0.1, "attacks": {"print": 0.2, "screen": 0.4}}
WIDTH = 256
"""Features of the reference set's two networks."""


def content(**changes: Any) -> dict[str, Any]:
    """Return a head of three features that adds 1."""
    head = {
        "format": "lunapass-site-head-1",
        "models": MODELS,
        "means": [1.0, 0.0, 0.0],
        "deviations": [2.0, 1.0, 1.0],
        "weights": [1.0, 0.0, 0.0],
        "intercept": 1.0,
        "origin": {
            "data": "c" * 64,
            "people": 2,
            "frames": 30,
            "recaptures": 60,
            "seed": 0,
            "before": ERRORS,
            "after": ERRORS,
        },
    }
    return {**head, **changes}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a head, or any text, to a file."""

    def write(text: str | None = None, **changes: Any) -> Path:
        file = tmp_path / "head.json"
        file.write_text(json.dumps(content(**changes)) if text is None else text)
        return file

    return write


def fitting(store: ModelStore, intercept: float) -> dict[str, Any]:
    """Return a head for the networks of a store that adds the same to every frame."""
    zeros, ones = [0.0] * WIDTH, [1.0] * WIDTH
    assert passive_liveness(store)
    models = {role: store.loaded[role] for role in MODELS}
    return content(models=models, means=zeros, deviations=ones, weights=zeros, intercept=intercept)


def test_correction_is_linear_in_the_standardised_features(write: Callable[..., Path]) -> None:
    """(feature - mean) / deviation * weight + intercept."""
    head = SiteHead(SiteHeadFile.read(write()), MODELS)
    first, second = np.array([3.0], np.float32), np.zeros(2, np.float32)
    assert head.correction([first, second]) == pytest.approx((3 - 1) / 2 + 1)


def test_the_correction_is_limited(write: Callable[..., Path]) -> None:
    """A head cannot accept a frame that the networks refuse with certainty, but may refuse any."""
    head = SiteHead(SiteHeadFile.read(write(weights=[999.0, 0.0, 0.0])), MODELS)
    rest = np.zeros(2, np.float32)
    assert head.correction([np.array([1e6], np.float32), rest]) == MAX_RAISE < log(0.96 / 0.04)
    assert head.correction([np.array([-1e6], np.float32), rest]) == -MAX_LOWERING < -9.21


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_nan_embedding_fails(write: Callable[..., Path], value: float) -> None:
    """NaN could pass a comparison."""
    head = SiteHead(SiteHeadFile.read(write()), MODELS)
    with pytest.raises(EstimationError, match="NaN or infinity"):
        head.correction([np.array([value, 0, 0], np.float32)])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "lunapass-site-head-2"}, "Invalid enum value"),
        ({"weights": [1.0, 0.0]}, "differ in length"),
        ({"means": [], "deviations": [], "weights": []}, "length >= 1"),
        ({"weights": [1e4, 0.0, 0.0]}, "<= 1000.0"),
        ({"deviations": [0.0, 1.0, 1.0]}, ">= 1e-06"),
        ({"intercept": "1"}, "Expected `float`"),
        ({"models": {"liveness_v2": "short"}}, "matching regex"),
        ({"more": 1}, "unknown field"),
    ],
)
def test_invalid_file(write: Callable[..., Path], changes: dict[str, Any], reason: str) -> None:
    """The error is one line: key, file, what was found, what to do."""
    with pytest.raises(ModelError) as raised:
        SiteHeadFile.read(write(**changes))
    for part in ("MODELS.siteHead: file", "head.json", reason, "run 'lunapass adapt' again"):
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", '{"intercept": NaN}', "[1]", "x" * (1 << 20 | 1)])
def test_a_file_that_is_no_head_is_refused(write: Callable[..., Path], text: str) -> None:
    """Neither another file nor a huge one is decoded further than needed."""
    with pytest.raises(ModelError, match="lunapass adapt"):
        SiteHeadFile.read(write(text))


def test_a_number_beyond_the_range_of_floats_is_refused(write: Callable[..., Path]) -> None:
    """It is not read as infinity."""
    text = json.dumps(content()).replace('"intercept": 1.0', '"intercept": 1e999')
    with pytest.raises(ModelError, match="out of range"):
        SiteHeadFile.read(write(text))


def test_missing_file(tmp_path: Path) -> None:
    """The error at start-up names the key and the file."""
    with pytest.raises(ModelError, match=r"MODELS\.siteHead: file .*none\.json: cannot be read"):
        SiteHeadFile.read(tmp_path / "none.json")


def test_head_of_other_networks(write: Callable[..., Path]) -> None:
    """If a network differs, is missing or is in another order, embeddings have another meaning."""
    file = SiteHeadFile.read(write())
    swapped = dict(reversed(MODELS.items()))
    for loaded in (swapped, {"liveness_v2": "a" * 64}, MODELS | {"liveness_v2": "d" * 64}):
        with pytest.raises(ModelError, match="was trained with liveness_v2 aaaa"):
            SiteHead(file, loaded)


def test_a_written_head_is_read_unchanged(write: Callable[..., Path], tmp_path: Path) -> None:
    """Its digest is the same."""
    read = SiteHeadFile.read(write())
    (tmp_path / "again.json").write_text(read.text())
    again = SiteHeadFile.read(tmp_path / "again.json")
    assert (again, again.digest) == (read, read.digest)


def test_half_total_error_is_the_mean_of_both_kinds(write: Callable[..., Path]) -> None:
    """Species have equal weight."""
    before = SiteHeadFile.read(write()).origin.before
    assert before.half_total == pytest.approx((0.1 + 0.3) / 2)


@pytest.mark.parametrize("provider", ["cpu", "auto"])
def test_embeddings_change_no_score(models_directory: Path, portrait: Image, provider: str) -> None:
    """Networks that output their embeddings, too, give the same log odds."""
    store = ModelStore(models_directory, provider, embeddings=True)
    plain, extended = (
        passive_liveness(ModelStore(models_directory, provider)),
        passive_liveness(store),
    )
    assert plain is not None
    assert extended is not None
    for box in (Box(250, 120, 150, 190), Box(20, 20, 90, 90)):
        assert extended.measure(portrait, box) == plain.measure(portrait, box)
        assert [one.embedding.shape for one in extended.judge(portrait, box)] == [(128,), (128,)]
        assert [one.embedding.size for one in plain.judge(portrait, box)] == [0, 0]


def test_head_shifts_the_score_of_the_service(
    models_directory: Path, portrait: Image, write: Callable[..., Path]
) -> None:
    """``MODELS.siteHead`` adds the head's value to the log odds, and names itself in the digest."""
    models = {"directory": str(models_directory), "provider": "cpu"}
    plain = OnnxBackend.from_config(Config.model_validate({"MODELS": models}))
    head = fitting(ModelStore(models_directory, "cpu"), -2.0)
    file = write(**head)
    corrected = OnnxBackend.from_config(
        Config.model_validate({"MODELS": models | {"siteHead": str(file)}})
    )
    (face,) = plain.detect(portrait)
    before, after = (one.liveness(portrait, face).score for one in (plain, corrected))
    odds = log(before / (1 - before)) - 2
    assert after == pytest.approx(1 / (1 + exp(-odds)))
    digests = {
        Estimator(one, Rules()).estimate(portrait, Profile.PASSIVE).models
        for one in (plain, corrected)
    }
    assert len(digests) == 2


def test_only_a_head_that_fits_lets_the_service_start(
    models_directory: Path, write: Callable[..., Path]
) -> None:
    """``config check`` opens the file, with or without models."""
    models = {"directory": str(models_directory), "provider": "cpu"}

    def config(file: Path) -> Config:
        return Config.model_validate({"MODELS": models | {"siteHead": str(file)}})

    fits = fitting(ModelStore(models_directory, "cpu"), 0.0)
    check_start(config(write(**fits)), None)
    few = {key: fits[key][:9] for key in ("means", "deviations", "weights")}
    with pytest.raises(ConfigError, match=r"MODELS\.siteHead: the networks have 256 features"):
        check_start(config(write(**fits | few)), None)
    with pytest.raises(ConfigError, match=r"MODELS\.siteHead: was trained with"):
        check_start(config(write()), None)
    check_start(config(write()), None, models=False)
    with pytest.raises(ConfigError, match=r"MODELS\.siteHead: .*is not a site head"):
        check_start(config(write("{}")), None, models=False)


def test_only_the_onnx_backend_has_a_head() -> None:
    """With another backend the key would be ignored, so it is an error."""
    wrong = Config.model_validate(
        {"MODELS": {"siteHead": "head.json"}, "WORKERS": {"backend": "oip"}}
    )
    with pytest.raises(ConfigError, match=r"\[MODELS\] siteHead.*only with 'onnx'"):
        check(wrong)
    third = {"MODELS": {"thirdLiveness": 1}, "WORKERS": {"backend": "oip"}}
    with pytest.raises(ConfigError, match=r"\[MODELS\] thirdLiveness.*only with 'onnx'"):
        check(Config.model_validate(third))
