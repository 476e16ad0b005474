"""The fallback set: networks from two npm packages.

It needs only the npm client and its configured registry. The packages are pinned by hash and none
of their code is run. The canonical face, which is not a network, is part of this package.
"""

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

_TIMEOUT = 300.0
_GRAPH = "StatefulPartitionedCall"


@dataclass(frozen=True)
class NpmPackage:
    """A package of the npm registry: its name with the version, and the hash of its archive."""

    name: str
    sha512: str


HUMAN = NpmPackage(
    "@vladmandic/human@3.3.6",
    "36be663dfab5810fae29e5d8e6e337163f14c6f179084876b3ab71339c114e1a"
    "9a5b4985f61ba8a0eb994ab4fc8611a1a348466972c5740c1f0ffdbeb5e0afe8",
)
"""TensorFlow.js graph models; converted to ONNX."""
FACEPLUGIN = NpmPackage(
    "faceplugin-face-recognition-js@0.0.1",
    "b21ae25e3778cc91c4c212b58c72be6d6a3c56fe95bbd07fc3a451b1de0016d3"
    "4cfe3688daf86e39a98e48c97da9098b77c5a543b760a8dfb70b688e8b9a575b",
)
"""ONNX models, used as they are. The archive has 41 MB."""


@dataclass(frozen=True)
class Recipe:
    """Where a role's network is in a package.

    Attributes:
        path: file in the package; for a graph model the topology, with the weights next to it.
        outputs: for a graph model, name of each output -> node that computes it.
    """

    package: NpmPackage
    path: str
    outputs: dict[str, str] | None = None


RECIPES = {
    "detector": Recipe(
        HUMAN,
        "package/models/blazeface.json",
        {
            "scores_16": "Identity",
            "boxes_16": "Identity_2",
            "scores_32": "Identity_1",
            "boxes_32": "Identity_3",
        },
    ),
    "mesh": Recipe(
        HUMAN,
        "package/models/facemesh.json",
        {"mesh": "Identity_2", "presence": f"{_GRAPH}/model_1/conv2d_31/BiasAdd"},
    ),
    "iris": Recipe(
        HUMAN,
        "package/models/iris.json",
        {
            "contour": f"{_GRAPH}/model/conv_eyes_contours_and_brows/BiasAdd",
            "iris": f"{_GRAPH}/model/conv_iris/BiasAdd",
        },
    ),
    "liveness_registry": Recipe(FACEPLUGIN, "package/model/fr_liveness.onnx"),
}


def make(specs: Sequence[ModelSpec]) -> Iterator[tuple[ModelSpec, bytes]]:
    """Yield wanted files of the fallback set with their content; fetch only needed packages.

    Raises:
        ModelError: a package cannot be fetched, or a result differs from the manifest.
    """
    for spec in specs:
        if spec.role not in RECIPES:
            yield spec, resources.files(__package__).joinpath(spec.file).read_bytes()
    for package in (HUMAN, FACEPLUGIN):
        wanted = [spec for spec in specs if _comes_with(spec, package)]
        if wanted:
            with tempfile.TemporaryDirectory(prefix="lunapass-") as folder:
                archive = fetch_package(package, Path(folder))
                for spec in wanted:
                    yield spec, archive.build(spec)


def _comes_with(spec: ModelSpec, package: NpmPackage) -> bool:
    return spec.role in RECIPES and RECIPES[spec.role].package is package


class PackageArchive:
    """An npm package as a file, as ``npm pack`` writes it.

    Raises:
        ModelError: it is not the pinned package.
    """

    def __init__(self, package: NpmPackage, file: Path) -> None:
        digest = hashlib.sha512(file.read_bytes()).hexdigest()
        if digest != package.sha512:
            raise ModelError(
                f"npm package {package.name}: found sha512 {digest}; expected {package.sha512}"
            )
        self._name = package.name
        self._file = file

    def build(self, spec: ModelSpec) -> bytes:
        """Make one role's network, a serialised ONNX model.

        Raises:
            ModelError: the result differs from the manifest.
        """
        recipe = RECIPES[spec.role]
        with tarfile.open(self._file) as archive:
            model = self._member(archive, recipe.path)
            if recipe.outputs is not None:
                weights = self._member(archive, recipe.path.removesuffix("json") + "bin")
                model = convert(model, weights, recipe.outputs)
        digest = hashlib.sha256(model).hexdigest()
        if digest != spec.sha256:
            raise ModelError(
                f"model {spec.role}: {spec.file}: found sha256 {digest}; expected {spec.sha256};"
                " the installed onnx package may write other bytes"
            )
        return model

    def _member(self, archive: tarfile.TarFile, name: str) -> bytes:
        member = archive.extractfile(name)
        if member is None:
            raise ModelError(f"npm package {self._name}: {name} is not a file")
        return member.read()


def fetch_package(package: NpmPackage, folder: Path) -> PackageArchive:
    """Fetch a package with the npm client and its configuration on this machine; verify it.

    The folder must have no other archive.

    Raises:
        ModelError: there is no npm client, or it cannot fetch the package.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise ModelError(
            "the fallback models need the npm client, which is not installed; install npm, or give"
            " the reference models with 'lunapass models pull --from DIR|URL'"
        )
    command = [npm, "pack", package.name, "--silent", "--ignore-scripts", "--fetch-retries=1"]
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
            lines = errors.read().decode(errors="replace").strip().splitlines()
            reason = lines[0] if lines else str(error)
            raise ModelError(f"npm package {package.name}: cannot be fetched: {reason}") from error
    archives = list(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise ModelError(f"npm package {package.name}: npm left {len(archives)} archives, not one")
    return PackageArchive(package, archives[0])
