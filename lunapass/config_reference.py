"""The reference of the configuration, generated from its schema."""

from collections.abc import Iterator
from itertools import groupby

from pydantic.fields import FieldInfo

from shared.config.schema import Path, allowed, description_at, keys, place
from shared.config.toml import field_text, one_line

INTRODUCTION = """\
# Configuration

<!-- Made by `make docs-config` from the docstrings and types in shared/config/. -->

For operators: every key of the service's configuration, with its default and its allowed values.

The service reads one TOML file: the one on the command line, else the one in `$LUNAPASS_CONFIG`,
else `config/lunapassapi.config.toml`. Without a file it uses the defaults below. Sections and keys
of LUNA PASS 1.x keep their names and defaults; the rest is this project's own.

An environment variable overrides one key of the file: `LUNAPASS__LIVENESS__THRESHOLDS__YAW=15` sets
`yaw` of `[LIVENESS.THRESHOLDS]`, and `LUNAPASS__MIDDLEWARES__WS__FILELOGGER__ARGS__PATH=/logs` sets
`args.path` of `[MIDDLEWARES.WS.FileLogger]`. Names are case-insensitive. A value that is valid TOML
is read as TOML, any other as plain text. Your own plugins, with names of the form
`"package.module:Class"`, can be set in the file only. `env`, `host`, `port`, `logLevel` and
`logFile` may also be at the top of the file instead of in `[LUNA_PASS]`.

The service does not start with an unknown key, a wrong type, an impossible value or a combination
with which no session could pass. Each error is one line: where it is, what was found, what is
allowed and what to do. `lunapass config check` opens keys, labels, page and models like a start;
`--without-models` leaves out the models. Text files (this one, keys, labels) must be UTF-8; a byte
order mark is skipped. `env = "production"` requires your own key in `[LUNA_PASS.JWT]`.

| Command | Does |
|---|---|
| `lunapass config check FILE` | reports all errors and warnings, opens keys and models |
| `lunapass config show` | prints the configuration in effect, without secrets |
| `lunapass config show --defaults` | prints the whole file with comments and defaults |
| `lunapass config show --recommended` | prints that file with the recommended plugins turned on |
| `lunapass config policy FILE` | prints the claim `policy` of its tokens |
| `lunapass config parts DIRECTORY` | writes each role's part, without the other roles' secrets |
| `lunapass config key` | prints a new random key for `[LUNA_PASS.JWT]` |
| `lunapass config key --transport DIRECTORY` | makes keys for roles that connect over `tcp://` |
"""


def reference() -> str:
    """Return the reference in Markdown: a table of keys per section.

    The descriptions are the docstrings of the sections and keys.
    """
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    for section, rows in groupby(keys(), key=lambda row: place(row[0])[0]):
        listed = list(rows)
        yield f"## [{section}]\n"
        yield f"{_cell(description_at(tuple(section.split('.'))))}\n"
        yield "| Key | Default | Allowed | Meaning |"
        yield "|---|---|---|---|"
        yield from (_row(path, field) for path, field in listed)
        yield ""


def _row(path: Path, field: FieldInfo) -> str:
    default = "-" if field.default is None else f"`{field_text(field.default, field)}`"
    meaning = _cell(description_at(path))
    return f"| `{place(path)[1]}` | {default} | {allowed(field)} | {meaning} |"


def _cell(text: str) -> str:
    return one_line(text.replace("``", "`")).replace("|", "\\|")
