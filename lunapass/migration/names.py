"""Find the key of this service for a key of LUNA PASS 1.6 to 2.2."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.config.base import Section
from shared.config.schema import Path, field_at, keys, section_at, section_of

_PLUGINS = ("MIDDLEWARES", "WS")


@dataclass(frozen=True)
class NewPlace:
    """Where a key's value goes.

    Attributes:
        path: the key here.
        note: how its meaning differs; empty where it does not.
        also: further keys to set with it.
    """

    path: Path
    note: str = ""
    also: Mapping[Path, object] = field(default_factory=dict)


MOVED = {
    "aggregateframes": NewPlace(
        (*_PLUGINS, "AggregateLiveness", "args", "framesCount"),
        "now an argument of the plugin AggregateLiveness, which this turns on",
        {(*_PLUGINS, "AggregateLiveness", "isEnabled"): 1},
    ),
    "disallowmultiplefacesinsession": NewPlace(
        (*_PLUGINS, "FaceMatcher", "isEnabled"),
        "now the switch of the plugin FaceMatcher",
    ),
}
"""Keys of later versions that have a different place here, by plain name."""
ABSENT = {
    "previousfacesimilarity": "similarities have a different scale here; see args.similarity of "
    "FaceMatcher",
}
"""Keys of later versions that this service does not have, by plain name, and what to do instead."""
DEEPFAKE = "no estimation of deepfakes; VirtualCameraChecker looks for injected streams"
NOTES = {
    ("FACEENGINE",): "used only with [WORKERS] backend = 'lunasdk'",
    (
        "LUNA_PASS",
        "logFile",
    ): "one JSON object per line; the service's user must be able to write",
    ("LIVENESS", "maxAttempts"): "the session ends with the result of the last frame",
    ("LIVENESS", "THRESHOLDS", "ROI"): "left, top, width and height in percent of the frame",
    (*_PLUGINS, "VideoRedis", "args", "workerTask"): "a function in the file that [WORKER] task"
    " of lunapassvideo.config.toml names",
}
"""Differences of keys that have the same name here, by the beginning of their path."""


def plain(name: str) -> str:
    """Reduce a name to letters and digits: 2.x writes ``max_attempts`` for ``maxAttempts``."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def find_section(path: Path, root: type[Section]) -> Path | None:
    """Return the path of a section here, without ``args``; None if there is none."""
    found: Path = ()
    for name in path:
        section = section_at(found, root)
        if section is None or (known := _child(section, name)) is None:
            return None
        found = (*found, known)
    if section_at(found, root) is None:
        return None
    return found[:-1] if found[-1:] == ("args",) else found


def find_key(section: Path, path: Path, root: type[Section]) -> NewPlace | str | None:
    """Find what a key, such as ``("args", "path")`` of a section here, is here.

    Returns:
        Where its value goes, or the reason why it has no place, or None if it is unknown.
    """
    name = plain(path[-1])
    if (exact := _exact(section, path, root)) is not None:
        note = next((text for start, text in NOTES.items() if exact[: len(start)] == start), "")
        return NewPlace(exact, note)
    if name in MOVED and field_at(MOVED[name].path, root) is not None:
        return MOVED[name]
    if name in ABSENT:
        return ABSENT[name]
    if "deepfake" in name:
        return DEEPFAKE
    return _below(section, name, root)


def _exact(section: Path, path: Path, root: type[Section]) -> Path | None:
    """Find a key by its path, with or without ``args``, whichever the schema has."""
    bare = tuple(name for name in path if name != "args")
    for tried in (path, bare, ("args", *bare)):
        found = section
        for name in tried:
            parent = section_at(found, root)
            known = _child(parent, name) if parent else None
            if known is None:
                break
            found = (*found, known)
        else:
            field = field_at(found, root)
            if field is not None and section_of(field) is None:
                return found
    return None


def _child(section: type[Section], name: str) -> str | None:
    return next((known for known in section.model_fields if plain(known) == plain(name)), None)


def _below(section: Path, name: str, root: type[Section]) -> NewPlace | None:
    """Find the only key of this name in the sections below, if the file has it in a parent."""
    places = [
        known
        for known, _ in keys(root)
        if known[: len(section)] == section and plain(known[-1]) == name
    ]
    return NewPlace(places[0], "belongs to this section here") if len(places) == 1 else None
