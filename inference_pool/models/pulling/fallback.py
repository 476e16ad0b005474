"""The fallback set: networks of the npm package ``@vladmandic/human``, converted to ONNX.

Only the npm client and the registry it is set up for are needed. The package is pinned by its
hash; none of its code is run. What is no network (the canonical face) comes with this package.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from inference_pool.models.manifest import ModelSpec
from inference_pool.models.pulling.tfjs import convert
from shared.errors import ModelError

PACKAGE = "@vladmandic/human@3.3.6"
PACKAGE_SHA512 = (
    "36be663dfab5810fae29e5d8e6e337163f14c6f179084876b3ab71339c114e1a"
    "9a5b4985f61ba8a0eb994ab4fc8611a1a348466972c5740c1f0ffdbeb5e0afe8"
)
_TIMEOUT = 300.0
_GRAPH = "StatefulPartitionedCall"


@dataclass(frozen=True)
class Recipe:
    """Which graph model of the package becomes a role's network, and what it answers.

    Attributes:
        name: file name in the package's ``models`` folder, without suffix.
        outputs: name of each output -> node of the graph that computes it.
    """

    name: str
    outputs: dict[str, str]


RECIPES = {
    "detector": Recipe(
        "blazeface",
        {
            "scores_16": "Identity",
            "boxes_16": "Identity_2",
            "scores_32": "Identity_1",
            "boxes_32": "Identity_3",
        },
    ),
    "mesh": Recipe(
        "facemesh",
        {"mesh": "Identity_2", "presence": f"{_GRAPH}/model_1/conv2d_31/BiasAdd"},
    ),
    "iris": Recipe(
        "iris",
        {
            "contour": f"{_GRAPH}/model/conv_eyes_contours_and_brows/BiasAdd",
            "iris": f"{_GRAPH}/model/conv_iris/BiasAdd",
        },
    ),
}
"""Recipe of each network of the fallback set."""


def make(specs: Sequence[ModelSpec]) -> Iterator[tuple[ModelSpec, bytes]]:
    """Make files of the fallback set; the npm package is fetched only if a network is asked.

    Args:
        specs: the wanted entries of the manifest's fallback set.

    Yields:
        Each entry with the content of its file.

    Raises:
        ModelError: the package cannot be fetched, or the result is not what the manifest pins.
    """
    for spec in specs:
        if spec.role not in RECIPES:
            yield spec, resources.files(__package__).joinpath(spec.file).read_bytes()
    networks = [spec for spec in specs if spec.role in RECIPES]
    if networks:
        with tempfile.TemporaryDirectory(prefix="lunapass-") as folder:
            package = fetch_package(Path(folder))
            for spec in networks:
                yield spec, package.build(spec)


class HumanPackage:
    """The npm package as a file.

    Args:
        archive: the package as ``npm pack`` writes it.

    Raises:
        ModelError: it is not the pinned package.
    """

    def __init__(self, archive: Path) -> None:
        digest = hashlib.sha512(archive.read_bytes()).hexdigest()
        if digest != PACKAGE_SHA512:
            raise ModelError(
                f"npm package {PACKAGE}: found sha512 {digest}; expected {PACKAGE_SHA512}"
            )
        self._archive = archive

    def build(self, spec: ModelSpec) -> bytes:
        """Convert one role's network.

        Args:
            spec: the network's entry in the manifest.

        Returns:
            The serialised ONNX model.

        Raises:
            ModelError: the conversion does not give the bytes that the manifest pins.
        """
        recipe = RECIPES[spec.role]
        with tarfile.open(self._archive) as archive:
            topology, weights = (
                _member(archive, f"package/models/{recipe.name}.{suffix}")
                for suffix in ("json", "bin")
            )
        model = convert(topology, weights, recipe.outputs)
        digest = hashlib.sha256(model).hexdigest()
        if digest != spec.sha256:
            raise ModelError(
                f"model {spec.role}: {spec.file}: converted to sha256 {digest};"
                f" expected {spec.sha256}; the installed onnx package writes other bytes"
            )
        return model


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise ModelError(f"npm package {PACKAGE}: {name} is not a file")
    return member.read()


def fetch_package(folder: Path) -> HumanPackage:
    """Fetch the package with the npm client, as it is set up on this machine.

    Args:
        folder: where the archive goes.

    Returns:
        The verified package.

    Raises:
        ModelError: there is no npm client, or it cannot fetch the package.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise ModelError(
            "the fallback models need the npm client, which is not installed; install npm, or give"
            " the reference models with 'lunapass models pull --from DIR|URL'"
        )
    command = [npm, "pack", PACKAGE, "--silent", "--ignore-scripts", "--fetch-retries=1"]
    with tempfile.TemporaryFile() as errors:
        try:
            subprocess.run(
                command,
                cwd=folder,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=_TIMEOUT,
            )
        except (subprocess.SubprocessError, OSError) as error:
            errors.seek(0)
            told = errors.read().decode(errors="replace").strip().splitlines()
            reason = told[0] if told else str(error)
            raise ModelError(f"npm package {PACKAGE}: cannot be fetched: {reason}") from error
    archives = list(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise ModelError(f"npm package {PACKAGE}: npm left {len(archives)} archives, not one")
    return HumanPackage(archives[0])
