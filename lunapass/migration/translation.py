"""Build the new file: keep order and comments, and add a comment to each difference."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from pydantic.fields import FieldInfo

from lunapass.migration.lines import CommentLine, KeyLine, Line, SectionLine, UnreadableLine, split
from lunapass.migration.names import NewPlace, find_key, find_section
from lunapass.migration.values import convert
from shared.config.base import Section
from shared.config.middlewares import USER_PLUGIN_NAME
from shared.config.schema import (
    Path,
    allowed,
    description_at,
    field_at,
    is_confidential,
    keys,
    place,
)
from shared.config.service import Config
from shared.config.toml import field_text, key_text, one_line, value_text
from shared.config.video import VideoConfig

WIDTH, MAX_SHOWN = 100, 60
"""Characters of a comment's line, and of an original line that a comment shows."""
MARK = "# lunapass migrate:"
"""Prefix of every comment that the migration adds."""


class ChangeKind(Enum):
    """What happened to a key."""

    CHANGED = "changed"
    NOTED = "note"
    OPEN = "open"


@dataclass(frozen=True)
class Change:
    """One difference between the files.

    Attributes:
        kind: OPEN if the administrator must decide.
        line: line of the original, from 1.
        key: section and key.
        text: what was done and why.
    """

    kind: ChangeKind
    line: int
    key: str
    text: str


@dataclass
class Translation:
    """A translated file; ``blocks`` has the lines of each section by its path, in order."""

    root: type[Section]
    blocks: dict[Path, list[str]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    values: dict[Path, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The file."""
        parts = ["\n".join(lines).rstrip("\n") for lines in self.blocks.values()]
        return "\n\n".join(part for part in parts if part) + "\n"

    @property
    def open(self) -> list[Change]:
        """What the administrator must decide."""
        return [change for change in self.changes if change.kind is ChangeKind.OPEN]


def translate(text: str) -> Translation:
    """Translate a configuration file of LUNA PASS 1.6 to 2.2.

    A file with a section ``VIDEO`` or ``REDIS`` is the video worker's, any other is the service's.
    """
    lines = list(split(text))
    tops = {line.path[0].upper() for line in lines if isinstance(line, SectionLine)}
    root = VideoConfig if tops & {"VIDEO", "REDIS"} else Config
    translator = _Translator(root)
    for line in lines:
        translator.take(line)
    return translator.finish()


class _Translator:
    """Translates one line after the other."""

    def __init__(self, root: type[Section]) -> None:
        self._result = Translation(root, {(): []})
        self._section: Path | None = ()
        self._named = ""

    def take(self, line: Line) -> None:
        """Translate one line."""
        match line:
            case CommentLine(text):
                self._block().append(text)
            case SectionLine():
                self._begin_section(line)
            case KeyLine():
                self._assign(line)
            case UnreadableLine(number, text):
                self._leave_out(number, text, "", "is not valid TOML; correct it")

    def finish(self) -> Translation:
        """Complete the file with the keys that the original does not set."""
        for path, lines in _unset(self._result):
            heading = [] if path in self._result.blocks else [_heading(path)]
            block = self._block(path)
            while block and not block[-1]:
                block.pop()
            block.extend([*heading, *lines])
        return self._result

    def _block(self, path: Path | None = None) -> list[str]:
        """Lines of a section; an unknown section keeps its position."""
        if path is None:
            path = self._section if self._section is not None else (self._named,)
        return self._result.blocks.setdefault(path, [])

    def _begin_section(self, line: SectionLine) -> None:
        named = ".".join(line.path)
        self._named = named
        self._section = self._known_section(line.path)
        if self._section is None:
            reason = "this service has no such section"
            self._report(ChangeKind.OPEN, line.number, f"[{named}]", reason)
            self._block().extend([f"{MARK} {reason}", f"# [{named}]"])
            return
        if self._section not in self._result.blocks:
            self._block().append(_heading(self._section))

    def _known_section(self, path: Path) -> Path | None:
        if self._result.root is Config and len(path) == 3 and USER_PLUGIN_NAME.fullmatch(path[2]):
            return path
        return find_section(path, self._result.root)

    def _assign(self, line: KeyLine) -> None:
        if self._section is None:
            self._block().extend(f"# {row}" for row in line.text.split("\n"))
            return
        if len(self._section) == 3 and USER_PLUGIN_NAME.fullmatch(self._section[2]):
            self._block().append(line.text)  # only the plugin's author knows its arguments
            return
        for path, value in line.values.items():
            self._assign_one(line, path, value)

    def _assign_one(self, line: KeyLine, path: Path, value: object) -> None:
        assert self._section is not None
        key = f"{_bracketed(self._section)} {'.'.join(path)}".strip()
        target = self._target(path)
        if not isinstance(target, NewPlace):
            reason = target or "this service has no such key"
            self._leave_out(line.number, line.text, key, reason)
            return
        known = field_at(target.path, self._result.root)
        assert known is not None
        try:
            converted = convert(value, known)
        except ValueError:
            reason = f"this value is not allowed; allowed: {allowed(known)}; the default applies"
            self._leave_out(line.number, line.text, key, reason)
            return
        if target.path in self._result.values:
            self._leave_out(line.number, line.text, key, "is set twice; the first one counts")
            return
        self._set(line, path, target, value, converted)

    def _target(self, path: Path) -> NewPlace | str | None:
        section, root = self._section or (), self._result.root
        if not section and root is Config:
            path_of_top = find_key(("LUNA_PASS",), path, root)
            if isinstance(path_of_top, NewPlace) and len(path_of_top.path) == 2:
                return path_of_top
        return find_key(section, path, root)

    def _set(
        self, line: KeyLine, path: Path, target: NewPlace, value: object, converted: object
    ) -> None:
        section = self._section or ()
        known = field_at(target.path, self._result.root)
        assert known is not None
        where, name = place(target.path)
        home = tuple(where.split("."))
        stays = section == home or (not section and home == ("LUNA_PASS",))
        block = self._block(section if stays else home)
        if not stays and not block:
            block.append(_heading(home))
        same_value = type(converted) is type(value) and converted == value
        same = stays and same_value and not line.is_repaired and name == ".".join(path)
        notes = [target.note] if target.note else []
        if not same:
            notes.append(f"formerly {_shown(line, section, known)}")
        if notes:
            note = "; ".join(notes)
            kind = ChangeKind.NOTED if same else ChangeKind.CHANGED
            self._report(kind, line.number, f"[{where}] {name}", note)
            block.extend(_comment(f"{MARK} {note}"))
        comment = f"  {line.comment}" if line.comment else ""
        block.append(line.text if same else f"{name} = {field_text(converted, known)}{comment}")
        self._result.values[target.path] = converted
        for other, other_value in target.also.items():
            if other not in self._result.values:
                _, other_name = place(other)
                block.append(f"{other_name} = {value_text(other_value)}")
                self._result.values[other] = other_value

    def _leave_out(self, number: int, text: str, key: str, reason: str) -> None:
        """Keep a line as a comment, under the reason."""
        self._report(ChangeKind.OPEN, number, key or "line", reason)
        self._block().extend(_comment(f"{MARK} {reason}"))
        self._block().extend(f"# {row}" for row in text.split("\n"))

    def _report(self, kind: ChangeKind, number: int, key: str, text: str) -> None:
        self._result.changes.append(Change(kind, number, key, text))


def _unset(translation: Translation) -> Iterator[tuple[Path, list[str]]]:
    """Yield the keys that the original does not set as comments, by section."""
    by_section: dict[Path, list[str]] = {}
    for path, known in keys(translation.root):
        if path in translation.values:
            continue
        where, name = place(path)
        meaning = one_line(description_at(path, translation.root))
        default = "" if known.default is None else field_text(known.default, known)
        by_section.setdefault(tuple(where.split(".")), []).extend(
            [*_comment(f"# {meaning}"), f"# {name} = {default}".rstrip()]
        )
    for section, lines in by_section.items():
        yield section, ["", "# Not set in the original; defaults of this service:", *lines]


def _shown(line: KeyLine, section: Path, known: FieldInfo) -> str:
    """Show what the file had, unless it may hold a secret."""
    if is_confidential(known):
        return "written differently"
    text = line.text.strip()
    short = text if len(text) <= MAX_SHOWN and "\n" not in text else text.split("=")[0].strip()
    return f"{_bracketed(section)} {short}".strip()


def _heading(path: Path) -> str:
    return _bracketed(tuple(key_text(name) for name in path))


def _bracketed(path: Path) -> str:
    return f"[{'.'.join(path)}]" if path else ""


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="# ", break_long_words=False)
