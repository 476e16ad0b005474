"""Opens FaceEngine with its bindings, data and licence, and creates its estimators.

The bindings changed over the years and have no version number, so features are detected by
``hasattr``. Names of FaceEngine are the vendor's own.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from shared.config.luna_pass import FaceEngineSection
from shared.digests import short_digest
from shared.errors import EstimationError, StartupError

MODULE = "FaceEngine"
WITHOUT_OPTIONS = frozenset({"createWarper"})
"""Creators that take no ``launchOptions`` in any bindings: warping runs on no device."""
MAX_ERROR_CHARS = 300
"""Longest text of the SDK in an error. Bindings list all signatures if an argument is wrong."""


class Engine:
    """FaceEngine with an active licence.

    ``identity`` is a digest of the names and sizes of the data files. Their content is gigabytes,
    which each worker would have to read at its start.

    Raises:
        StartupError: bindings, data or licence are missing or invalid.
    """

    def __init__(self, settings: FaceEngineSection) -> None:
        self.module = _import(settings.sdkBindingsPath)
        data = _existing(settings.sdkDataPath, "sdkDataPath")
        licence = _existing(settings.sdkLicensePath, "sdkLicensePath")
        try:
            self._engine = self.module.createFaceEngine(dataPath=str(data))
        except Exception as error:
            raise StartupError(f"[FACEENGINE] sdkDataPath {data}: {one_line(error)}") from error
        self._activate(licence)
        self.identity = short_digest(
            [
                [str(file.relative_to(data)), file.stat().st_size]
                for file in sorted(data.rglob("*"))
                if file.is_file()
            ]
        )

    def _activate(self, licence: Path) -> None:
        """Activate the licence; old bindings return a bool, new ones a result."""
        try:
            answer = self._engine.activateLicense(self._engine.getLicense(), str(licence))
        except Exception as error:
            reason = one_line(error)
            raise StartupError(f"[FACEENGINE] sdkLicensePath {licence}: {reason}") from error
        # A result object is truthy even after a failure.
        if not getattr(answer, "isOk", answer):
            reason = getattr(answer, "what", "it is not valid here")
            raise StartupError(f"[FACEENGINE] sdkLicensePath {licence}: {reason}")

    def has(self, creator: str) -> bool:
        """Return whether the bindings have a creator method."""
        return hasattr(self._engine, creator)

    def create(self, *creators: str, kind: Any = None) -> Any:
        """Create an object with the first creator method that the bindings have.

        ``kind`` is the method's argument, such as the type of detector.

        Raises:
            StartupError: the bindings have none of them, or the creation failed.
        """
        creator = next((name for name in creators if self.has(name)), None)
        if creator is None:
            raise StartupError(f"[FACEENGINE] these bindings have no {' or '.join(creators)}")
        arguments = () if kind is None else (kind,)
        options = {}
        try:
            if creator not in WITHOUT_OPTIONS and hasattr(self.module, "LaunchOptions"):
                options["launchOptions"] = self.module.LaunchOptions()
            return getattr(self._engine, creator)(*arguments, **options)
        except Exception as error:
            raise StartupError(
                f"[FACEENGINE] {creator}: {one_line(error)}; is the model in sdkDataPath and the "
                "feature in the licence?"
            ) from error


def _import(folder: str) -> ModuleType:
    if not Path(folder).is_dir():
        raise StartupError(
            f"[FACEENGINE] sdkBindingsPath {folder}: there is no such folder; "
            "set it to the folder of the FaceEngine module of LUNA SDK"
        )
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(MODULE)
    except Exception as error:  # native code may raise anything
        raise StartupError(
            f"[FACEENGINE] sdkBindingsPath {folder}: {MODULE} cannot be imported: {one_line(error)}"
        ) from error


def _existing(path: str, key: str) -> Path:
    found = Path(path)
    if not found.exists():
        raise StartupError(f"[FACEENGINE] {key} {path}: there is no such file or folder")
    return found


def one_line(error: Exception) -> str:
    """Return the text of an exception of the SDK as one line of bounded length, or its type."""
    return " ".join(str(error).split())[:MAX_ERROR_CHARS] or type(error).__name__


def value_of(result: Any) -> Any:
    """Return the value of ``(error, value)``, the result of every FaceEngine call.

    Raises:
        EstimationError: the call failed, with FaceEngine's message.
    """
    error, value = result
    if not error.isOk:
        raise EstimationError(str(error.what))
    return value


def optional_value(holder: Any, name: str) -> Any:
    """Return the value of an ``_opt`` attribute.

    Raises:
        EstimationError: it is not set.
    """
    optional = getattr(holder, name)
    if not optional.isValid():
        raise EstimationError(f"{name} was not estimated")
    return optional.value()
