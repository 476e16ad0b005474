"""The reference table of the configuration, made from its schema."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from pydantic.fields import FieldInfo

from shared.config.schema import Path, allowed, field_at, keys, place
from shared.config.toml import field_text, one_line

INTRODUCTION = """\
# Configuration

<!-- Made by `make docs-config` from the docstrings and types in shared/config/. -->

The service reads one TOML file: the one named on the command line, else the one named by
`$LUNAPASS_CONFIG`, else `config/lunapassapi.config.toml`, else the defaults below. Sections and
keys of LUNA PASS 1.x have their names and defaults; the rest is this project's own.

An environment variable sets one key over the file: `LUNAPASS__LIVENESS__THRESHOLDS__YAW=15` is
`yaw` of `[LIVENESS.THRESHOLDS]`, and `LUNAPASS__MIDDLEWARES__WS__FILELOGGER__ARGS__PATH=/logs` is
`args.path` of `[MIDDLEWARES.WS.FileLogger]`. Names match without regard to case; a value is read as
TOML where it is TOML, else as plain text. Plugins of one's own, whose names are of the form
`"package.module:Class"`, are set in the file only. `env`, `host`, `port` and `logLevel` may stand
at the top of the file instead of in `[LUNA_PASS]`.

Nothing starts with an unknown key, a wrong type, an impossible value or a combination with which
nobody could pass; each fault is one line that says where it is, what was found, what is allowed and
what to do. `lunapass config check` opens keys, labels, page and models as a start would; with
`--without-models`, all but the models. Text files (this one, keys, labels) are UTF-8: a byte order
mark is skipped, another encoding is a fault. `env = "production"` asks for a key of your own in
`[LUNA_PASS.JWT]`.

| Command | Does |
|---|---|
| `lunapass config check FILE` | tells all faults and warnings, opens keys and models |
| `lunapass config show` | prints what is in force, secrets hidden |
| `lunapass config show --defaults` | prints the whole file with comments and defaults |
| `lunapass config policy FILE` | prints the claim `policy` that its tokens carry |
| `lunapass config parts DIRECTORY` | writes each role's part, without the other roles' secrets |
| `lunapass config key` | prints a new random key for `[LUNA_PASS.JWT]` |
| `lunapass config key --transport DIRECTORY` | makes keys for roles that speak over `tcp://` |
"""


def reference() -> str:
    """Write the reference in Markdown: for each section a table of key, default, allowed, meaning.

    Every section is explained by the docstring of its field, every key by its own.
    """
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    for section, rows in groupby(keys(), key=lambda row: place(row[0])[0]):
        listed = list(rows)
        meaning = field_at(tuple(section.split(".")))
        yield f"## [{section}]\n"
        yield f"{_cell(meaning.description if meaning else None)}\n"
        yield "| Key | Default | Allowed | Meaning |"
        yield "|---|---|---|---|"
        yield from (_row(path, field) for path, field in listed)
        yield ""


def _row(path: Path, field: FieldInfo) -> str:
    meaning = _cell(field.description)
    return f"| `{place(path)[1]}` | {_default(field)} | {allowed(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    return "-" if field.default is None else f"`{field_text(field.default, field)}`"


def _cell(text: str | None) -> str:
    return one_line((text or "").replace("``", "`")).replace("|", "\\|")
