"""Repair lines that people wrote by hand and that are not valid TOML."""

import json
import re
import tomllib

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("\u2018\u2019\u201a", "'"))
"""Quotation marks of word processors."""
_ASSIGNMENT = re.compile(r"^\s*([A-Za-z_][\w.\- ]*?)\s*[=:]\s*(.*?)\s*$")
_HEADER = re.compile(r"^\s*\[\s*([A-Za-z_][\w. \-]*?)\s*\]\s*(#.*)?$")
_TRAILING = re.compile(r"^(.*?)(\s+#.*)?$")
_SWITCHES = {"true": "true", "yes": "true", "on": "true"} | dict.fromkeys(
    ("false", "no", "off"), "false"
)


def repaired(row: str) -> str | None:
    """Convert one invalid row to TOML, which may still be invalid; None if that is impossible."""
    row = row.translate(_QUOTES)
    if header := _HEADER.match(row):
        name, comment = header.groups()
        return f"[{'_'.join(name.split())}] {comment or ''}".rstrip()
    if not (assignment := _ASSIGNMENT.match(row)):
        return None
    key, rest = assignment.groups()
    value, comment = _TRAILING.match(rest).groups()  # type: ignore[union-attr]  # matches any text
    return f"{key.replace(' ', '')} = {_value(value)}{comment or ''}"


def _value(value: str) -> str:
    """Quote a bare value, or spell it as in TOML."""
    if _is_toml(value):
        return value
    if re.fullmatch(r"[+-]?\d+,\d+", value):
        return value.replace(",", ".")
    if (switch := _SWITCHES.get(value.casefold())) is not None:
        return switch
    if value and value[0] not in "\"'[{":
        return json.dumps(value.strip("<>"), ensure_ascii=False)
    return value


def _is_toml(value: str) -> bool:
    try:
        tomllib.loads(f"value = {value}")
    except ValueError:
        return False
    return True
