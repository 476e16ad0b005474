"""Verifies the chains of records that the plugin Audit writes."""

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

from aggregator.sinks.audit import HEAD_SECONDS, PURPOSE
from aggregator.sinks.audit_trail import FIRST, Record, digest_of, files_of, parse
from shared.config.luna_pass import JwtSection
from shared.signing import KEY_BYTES, Signer, resolve_signing_keys

JWS = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
OVERDUE_SECONDS = 3 * HEAD_SECONDS
"""Age of the last signed head at which a running service must have written another one."""

Head = tuple[int, str]
"""Number and digest of a record."""
OpenHead = Callable[[str], dict[str, Any]]
"""Returns the claims of a signed head; raises jwt.PyJWTError for anything else."""


def head_opener(section: JwtSection, jwks: str | None = None) -> OpenHead:
    """Verify heads with the configured key, its published keys, or those of a JWK set.

    Raises:
        ConfigError: the key cannot be read.
    """
    secret: str | None = None
    keys: dict[str | None, jwt.PyJWK] = {}
    if jwks is None and section.algorithm in KEY_BYTES:
        secret = resolve_signing_keys(section).key.get_secret_value()
    else:
        found = jwt.PyJWKSet.from_json(jwks or Signer(section).jwks)
        keys = {key.key_id: key for key in found.keys}

    def open_head(token: str) -> dict[str, Any]:
        key = secret or keys.get(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise jwt.InvalidKeyError("no key with its id")
        algorithm = section.algorithm if isinstance(key, str) else key.algorithm_name
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=[algorithm], options={"verify_aud": False, "verify_iat": False}
        )
        if claims.get("purpose") != PURPOSE:
            raise jwt.InvalidTokenError("no head of an audit")
        return claims

    return open_head


@dataclass
class ChainReport:
    """What the check of one chain found.

    Attributes:
        errors: what proves that records were changed, removed or added.
        notes: what a killed process or an archived file explains, too.
        heads: records with a signed head after them.
        headed_at: Unix time of the last signed head, in seconds.
        closed: the chain ends with the head of a process that ended in order.
    """

    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    heads: set[Head] = field(default_factory=set)
    headed_at: float = 0.0
    closed: bool = False
    records: int = 0


class ChainCheck:
    """Follows a chain from its first file."""

    def __init__(self, folder: Path, open_head: OpenHead) -> None:
        self._folder = folder
        self._open_head = open_head
        self._before: str | None = FIRST
        self._seq: int | None = 0
        self._torn = 0
        self.report = ChainReport()

    def run(self, now: float) -> ChainReport:
        """Check every record."""
        number = 0
        for path in files_of(self._folder):
            self._follow_files(path, number)
            number = int(path.stem)
            with path.open("rb") as file:
                for index, line in enumerate(file):
                    self._check_line(f"{path}:{index + 1}", line, first=index == 0)
        self._check_end(now)
        return self.report

    def _follow_files(self, path: Path, number: int) -> None:
        if int(path.stem) == number + 1:
            return
        if number:
            self.report.errors.append(f"{path}: the file before it is missing")
        else:
            self.report.notes.append(f"{path}: is the first file; earlier ones were moved away")
        self._before = self._seq = None

    def _check_line(self, place: str, line: bytes, *, first: bool) -> None:
        text, record = line.removesuffix(b"\n"), parse(line)
        if record is None and line.endswith(b"\n"):
            self.report.errors.append(f"{place}: is not a record")
        if record is not None:
            self._check_record(place, record, first=first)
            self._seq = record["seq"]
            self.report.records += 1
        self._torn = 0 if line.endswith(b"\n") else len(text)
        self._before = digest_of(text)

    def _check_record(self, place: str, record: Record, *, first: bool) -> None:
        errors, event = self.report.errors, record["event"]
        if self._before is not None and record["prev"] != self._before:
            errors.append(f"{place}: does not continue the line before it")
        if self._seq is not None and record["seq"] != self._seq + 1:
            errors.append(f"{place}: has number {record['seq']}, but follows number {self._seq}")
        if first != (event == "file"):
            errors.append(
                f"{place}: the first line of a file, and no other, must be a 'file' record"
            )
        if self._torn != record.get("torn", 0):
            errors.append(f"{place}: the line before it was changed after this record was written")
        elif self._torn:
            self.report.notes.append(f"{place}: the line before it is incomplete")
        if "expected" in record:
            errors.append(f"{place}: the file before was changed while the service ran")
        if event == "lost":
            self.report.notes.append(f"{place}: {record['records']} records were lost before")
        self.report.closed = False
        if event == "head":
            self._check_head(place, record)

    def _check_head(self, place: str, record: Record) -> None:
        try:
            claims = self._open_head(str(record.get("jws")))
        except jwt.PyJWTError as error:
            self.report.errors.append(f"{place}: its signature is wrong: {error}")
            return
        head = (claims["seq"], claims["head"])
        if head != (record["seq"] - 1, record["prev"]):
            self.report.errors.append(f"{place}: signs another record than the one before it")
        self.report.heads.add(head)
        self.report.headed_at, self.report.closed = claims["iat"], claims["closed"]

    def _check_end(self, now: float) -> None:
        if self._torn:
            self.report.notes.append(f"{self._folder}: the last line is incomplete")
        if self.report.closed:
            return
        if not _is_written(self._folder):
            self.report.notes.append(
                f"{self._folder}: ends without a closing head: the service was killed, or the end "
                "was cut; compare it with the logged heads (--heads)"
            )
        elif now - self.report.headed_at > OVERDUE_SECONDS:
            self.report.errors.append(
                f"{self._folder}: has no signed head of the last {OVERDUE_SECONDS:.0f} s, although "
                "the service runs: the end was cut, or it cannot write"
            )


def _is_written(folder: Path) -> bool:
    """Return whether a process holds the folder's lock."""
    try:
        lock = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def chains(path: Path) -> list[Path]:
    """Return the folders of the chains below the plugin's path."""
    return sorted((folder for folder in path.glob("[0-9]*") if folder.is_dir()), key=str)


def missing_heads(text: str, known: set[Head], open_head: OpenHead) -> Iterator[str]:
    """Compare heads in a text, such as the service's log, with those of all chains.

    Yields:
        An error for each head that no chain has.
    """
    for token in JWS.findall(text):
        try:
            claims = open_head(token)
        except jwt.PyJWTError:
            continue  # another token
        if (claims["seq"], claims["head"]) not in known:
            yield f"the logged head of record {claims['seq']} is in no chain: records were removed"


def records(path: Path) -> Iterator[Record]:
    """Yield the records of all chains, without the links of the chain."""
    for folder in chains(path):
        for file in files_of(folder):
            for line in file.read_bytes().splitlines():
                if (record := parse(line)) is not None:
                    yield {name: record[name] for name in record if name not in ("seq", "prev")}


def to_json(record: Record) -> str:
    """Format a record as one line."""
    return json.dumps(record, ensure_ascii=False)
