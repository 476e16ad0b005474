"""Sources of model files: configured folders and addresses, then the public addresses."""

import os
from pathlib import Path
from typing import Protocol

import httpx

from inference_pool.models.manifest import ModelSpec
from inference_pool.models.pulling.download import (
    TIMEOUT,
    AbsentError,
    Advance,
    UnreachableError,
    download,
)

SOURCE_VARIABLE = "LUNAPASS_MODEL_SOURCE"
"""Environment variable with a folder or address to try first."""
_SIBLING = Path("..") / "shared" / "models"


class ModelSource(Protocol):
    """A place that may have model files."""

    name: str
    """Name in messages."""

    def fetch(self, spec: ModelSpec, part: Path, advance: Advance) -> None:
        """Write a file's bytes, not verified, to the partial file.

        Raises:
            AbsentError: the source does not have the file.
            UnreachableError: the source cannot be reached.
        """
        ...


class FolderSource:
    """A folder with the manifest's file names."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    def fetch(self, spec: ModelSpec, part: Path, advance: Advance) -> None:
        """Copy the file."""
        path = self._folder / spec.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise AbsentError(f"{path}: {error.strerror}") from error
        part.write_bytes(data)
        advance(len(data))


class AddressSource:
    """A web address with the manifest's file names below it."""

    def __init__(self, address: str, client: httpx.Client) -> None:
        self.name = address
        self._client = client

    def fetch(self, spec: ModelSpec, part: Path, advance: Advance) -> None:
        """Download the file."""
        url = f"{self.name.rstrip('/')}/{spec.file}"
        download(self._client, url, part, spec.bytes, advance)


class PublicSource:
    """The public addresses of the manifest; none is tried again after one is unreachable."""

    name = "the public addresses"

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._unreachable: UnreachableError | None = None

    def fetch(self, spec: ModelSpec, part: Path, advance: Advance) -> None:
        """Download the file."""
        if spec.url is None:
            raise AbsentError(f"{spec.file} has no public address")
        if self._unreachable:
            raise self._unreachable
        try:
            download(self._client, spec.url, part, spec.bytes, advance)
        except UnreachableError as error:
            self._unreachable = error
            raise


def named_source(place: str, client: httpx.Client) -> ModelSource:
    """Create the source for a folder's path or a web address."""
    if place.startswith(("http://", "https://")):
        return AddressSource(place, client)
    return FolderSource(Path(place))


def default_sources(client: httpx.Client) -> list[ModelSource]:
    """List the sources to try: the environment's, a sibling folder, the public addresses."""
    places: list[ModelSource] = []
    if named := os.environ.get(SOURCE_VARIABLE):
        places.append(named_source(named, client))
    project = Path(__file__).resolve().parents[3]  # if run from source
    siblings = dict.fromkeys((base / _SIBLING).resolve() for base in (Path.cwd(), project))
    places.extend(FolderSource(folder) for folder in siblings if folder.is_dir())
    return [*places, PublicSource(client)]


def make_client() -> httpx.Client:
    """Create the HTTP client for downloads."""
    return httpx.Client(timeout=TIMEOUT, follow_redirects=True)
