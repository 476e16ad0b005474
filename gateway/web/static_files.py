"""The kiosk page and the browser library, read into memory at the start.

A request path is looked up in a table and never in the file system, so only the files that were
read at the start can be reached.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from websockets.http11 import Request, Response

from gateway.web.http import Handler, Routes, respond
from gateway.web.page_config import check_page_config
from shared.config.service import KioskSection
from shared.errors import ResourceError, os_errors

log = logging.getLogger(__name__)

MAX_TOTAL_BYTES = 32_000_000

CONTENT_TYPES = {
    ".bin": "application/octet-stream",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""Files with other suffixes are not served."""

SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';"
        " img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self';"
        " font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Headers of every file; docs/browser.md lists them for a web server in front."""

INDEX, STATUS, PAGE_CONFIG = "/index.html", "/status.html", "/page.json"
PAGES = {INDEX: "/", "/setup.html": "/setup"}
"""Paths of the pages that open a WebSocket."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file, ready to send.

    Attributes:
        packed: the gzipped bytes; None if gzip saves nothing.
        tag: digest of the content.
    """

    body: bytes
    packed: bytes | None
    content_type: str
    tag: str

    @classmethod
    def of(cls, body: bytes, content_type: str) -> StaticFile:
        """Prepare a file."""
        packed = gzip.compress(body, mtime=0)
        tag = hashlib.sha256(body).hexdigest()[:32]
        return cls(body, packed if len(packed) < len(body) else None, content_type, tag)

    def answer(self, request: Request) -> Response:
        """Answer with the file, or 304 if the client has it already."""
        body, tag, headers = self.body, f'"{self.tag}"', {}
        if self.packed is not None:
            headers["Vary"] = "Accept-Encoding"
            if _accepts_gzip(request):
                body, tag = self.packed, f'"{self.tag}-gzip"'
                headers["Content-Encoding"] = "gzip"
        headers |= {"ETag": tag, "Cache-Control": "no-cache", **SECURITY}
        if _has(request, tag):
            headers.pop("Content-Encoding", None)
            return respond(b"", self.content_type, status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return respond(body, self.content_type, headers=headers)


def _accepts_gzip(request: Request) -> bool:
    offered = ",".join(request.headers.get_all("Accept-Encoding")).lower()
    for item in offered.split(","):
        name, _, weight = item.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _has(request: Request, tag: str) -> bool:
    named = ",".join(request.headers.get_all("If-None-Match")).split(",")
    return any(name.strip().removeprefix("W/") in (tag, "*") for name in named)


def installed() -> Path:
    """Return the folder of the page that is installed with the service."""
    return Path(str(importlib.resources.files("kiosk"))) / "dist"


def read(page: KioskSection, consent: str | None = None) -> dict[str, StaticFile]:
    """Read all files of the page that may be served, by path; see ``check_page_config``.

    Raises:
        ResourceError: there is no page, it has too many bytes, its ``page.json`` is wrong or
            shows another text, or a file cannot be read.
    """
    folder = Path(page.directory or installed())
    files = _read_folder("KIOSK.directory", folder)
    if INDEX not in files:
        raise ResourceError(
            f"KIOSK.directory {folder}: no index.html; name the folder of the page,"
            " or set KIOSK.isEnabled = 0"
        )
    if page.branding:
        files |= _read_folder("KIOSK.branding", Path(page.branding))
    if PAGE_CONFIG in files:
        check_page_config(files[PAGE_CONFIG].body, consent)
    return files


def _read_folder(key: str, folder: Path) -> dict[str, StaticFile]:
    """Read the files of a folder; ``key`` is the key that names it."""
    files: dict[str, StaticFile] = {}
    total = 0
    with os_errors(f"{key} {folder}"):
        if not folder.is_dir():
            raise ResourceError(f"{key} {folder}: not a folder")
        for file in _files_below(folder):
            kind = CONTENT_TYPES.get(file.suffix)
            if kind is None:
                log.info("not served, unknown suffix: %s", file)
                continue
            total += file.stat().st_size
            if total > MAX_TOTAL_BYTES:
                raise ResourceError(
                    f"{key} {folder}: more than {MAX_TOTAL_BYTES} bytes;"
                    " name a folder with only the page's files"
                )
            files["/" + file.relative_to(folder).as_posix()] = StaticFile.of(
                file.read_bytes(), kind
            )
    return files


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder that are not hidden.

    A link is followed only to a file in the folder: Kubernetes mounts each file of a ConfigMap as a
    link to a hidden folder beside it.
    """
    root = folder.resolve()
    for place, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(place) / name
            target = Path(os.path.realpath(file))
            is_hidden = name.startswith(".") or target.name.startswith(".")
            if not is_hidden and target.is_relative_to(root) and target.is_file():
                yield file


def add_routes(routes: Routes, page: KioskSection, consent: str | None = None) -> None:
    """Serve the page at ``/``, the set-up page, and the operator's page at a private path.

    Raises:
        ResourceError: it cannot be served.
    """
    for path, file in read(page, consent).items():
        handler: Handler = file.answer
        if path in PAGES:
            routes.add(PAGES[path], handler, page=True)
        elif path == STATUS:
            routes.add("/status", handler, private=True)
        else:
            routes.add(path, handler)
