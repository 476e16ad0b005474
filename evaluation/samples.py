"""Reads a labelled set: a folder with ``live/`` and ``attack/SPECIES/``, or a CSV table.

A sample is an image, a video, or a session's folder written by FileLogger.

Below ``live/`` and ``attack/SPECIES/``, a folder names the subject, so that images of one person
count together. A file without such a folder is a subject of its own. A CSV has the columns ``path``
(relative to the CSV), ``label`` (``live`` or ``attack``), ``species`` and ``subject``.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

from shared.errors import ResourceError
from shared.session_log import FILE
from shared.text_files import read_text

PICTURES = frozenset(
    {".avif", ".bmp", ".heic", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
"""File extensions of images; those that the service does not accept are counted as refused."""
LIVE, ATTACK = "live", "attack"
UNNAMED = "unnamed"
"""Species of attacks without a named one."""


def frame_order(path: Path) -> list[Any]:
    """Return a key that sorts frames by the numbers in their names: 2.jpg before 10.jpg."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.stem)]


@dataclass(frozen=True, slots=True)
class Sample:
    """One presentation.

    Attributes:
        path: image, video or session folder.
        name: the path in reports, relative to the set.
        species: kind of attack; empty for a live presentation.
        group: group of people, such as an age range; empty if the set names none.
    """

    path: Path
    name: str
    species: str
    subject: str
    group: str = ""

    @property
    def live(self) -> bool:
        """Whether it is a live presentation."""
        return not self.species


def read(source: Path, extensions: frozenset[str], group_column: str = "") -> list[Sample]:
    """List the samples of a folder or a CSV file.

    Of a folder only files with one of the extensions, in lower case, count. A column of a CSV may
    name groups of people.

    Raises:
        ResourceError: there is no such set, or it has another layout.
    """
    if source.is_dir():
        if group_column:
            raise ResourceError(f"{source}: groups are named in a column of a CSV, not in folders")
        live = source / LIVE
        found = [_sample(source, path, live, "") for path in _files(live, extensions)]
        found += _attacks(source, extensions)
        wanted = f"{LIVE}/ or {ATTACK}/SPECIES/ with images or videos in it"
    else:
        found, wanted = list(_table(source, group_column)), "a line"
    if not found:
        raise ResourceError(f"{source}: found no sample; expected {wanted}")
    return found


def read_people(folder: Path, extensions: frozenset[str]) -> list[Sample]:
    """List live samples that lie in one folder per person.

    Only files with one of the extensions, in lower case, count.

    Raises:
        ResourceError: there is no sample, or one is in no folder of its person.
    """
    found = [_sample(folder, path, folder, "") for path in _files(folder, extensions)]
    if not found:
        raise ResourceError(f"{folder}: found no sample; expected a folder of images per person")
    if apart := [one.path for one in found if one.path.parent == folder]:
        raise ResourceError(f"{apart[0]}: is in no folder of its person; give each person a folder")
    return found


def _attacks(folder: Path, extensions: frozenset[str]) -> Iterator[Sample]:
    root = folder / ATTACK
    for path in _files(root, extensions):
        species = path.relative_to(root).parts[0] if path.parent != root else UNNAMED
        if species == LIVE:
            raise ResourceError(f"{root / species}: no kind of attack can have the name {LIVE!r}")
        yield _sample(folder, path, root / species if path.parent != root else root, species)


def _files(folder: Path, extensions: frozenset[str]) -> list[Path]:
    """Samples below a folder, sorted by name, without hidden ones."""
    if not folder.is_dir():
        return []
    logged = {log.parent for log in folder.rglob(FILE)}
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in extensions and path.is_file() and path.parent not in logged
    ]
    return sorted(
        path
        for path in (*found, *logged)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _sample(source: Path, path: Path, root: Path, species: str) -> Sample:
    inside = path.relative_to(root)
    subject = inside.parts[0] if len(inside.parts) > 1 else str(path.relative_to(source))
    return Sample(path, str(path.relative_to(source)), species, subject)


def _table(path: Path, group_column: str) -> Iterator[Sample]:
    rows = csv.DictReader(StringIO(read_text(path, kind=ResourceError), newline=""))
    try:
        wanted = {"path", "label", *([group_column] if group_column else [])}
        missing = wanted - set(rows.fieldnames or ())
        if missing:
            raise ResourceError(f"{path}: the column {min(missing)!r} is missing")
        for row in rows:
            sample = _row(path, rows.line_num, row)
            yield replace(sample, group=(row[group_column] or "").strip() if group_column else "")
    except csv.Error as error:
        raise ResourceError(f"{path}: cannot be read as CSV: {error}") from error


def _row(table: Path, line: int, row: dict[str, str | None]) -> Sample:
    name, label = (row["path"] or "").strip(), (row["label"] or "").strip().lower()
    if label not in (LIVE, ATTACK):
        raise ResourceError(
            f"{table}: line {line}: label: found {label!r}; allowed are {LIVE!r} and {ATTACK!r}"
        )
    path = table.parent / name
    if not name or not path.exists():
        raise ResourceError(f"{table}: line {line}: path: there is no file {name!r}")
    species = "" if label == LIVE else (row.get("species") or "").strip() or UNNAMED
    if species == LIVE:
        raise ResourceError(
            f"{table}: line {line}: species: no kind of attack can have the name {LIVE!r}"
        )
    return Sample(path, name, species, (row.get("subject") or "").strip() or name)
