"""Download of one file over HTTP: resumed where it broke off, bounded, complete or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
"""Seconds to wait for data, and for the connection."""
ATTEMPTS = 4
"""Tries for one file; each goes on where the one before broke off."""

Advance = Callable[[int], None]
"""Told how many bytes of the file are there."""


class UnreachableError(Exception):
    """The source cannot be reached or does not answer; others may."""


class AbsentError(Exception):
    """The source answers, but does not have the file."""


def download(client: httpx.Client, url: str, part: Path, size: int, advance: Advance) -> None:
    """Fetch a file into a partial file, going on with what an earlier run left there.

    Args:
        client: HTTP client.
        url: the file's address.
        part: partial file; it holds the whole file afterwards, but of unproven content.
        size: bytes of the file; more are never written.
        advance: told the bytes that are there, now and then.

    Raises:
        UnreachableError: the connection cannot be had, or breaks again and again.
        AbsentError: the server answers with an error or with another size.
    """
    for attempt in range(ATTEMPTS):
        try:
            _go_on(client, url, part, size, advance)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise UnreachableError(f"{url}: {error or type(error).__name__}") from error
        except httpx.TransportError as error:
            if attempt == ATTEMPTS - 1:
                raise UnreachableError(f"{url}: {error or type(error).__name__}") from error
        else:
            return


def _go_on(client: httpx.Client, url: str, part: Path, size: int, advance: Advance) -> None:
    """Ask for the bytes that are missing; a server without ranges sends all of them again."""
    present = part.stat().st_size if part.exists() else 0
    if present > size:
        present = 0
    if present == size:
        return
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={present}-"} if present else {})
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise AbsentError(f"{url}: HTTP status {response.status_code}")
        if response.status_code == httpx.codes.OK:
            present = 0
        with part.open("r+b" if present else "wb") as file:
            file.seek(present)
            for chunk in response.iter_bytes():
                present += len(chunk)
                if present > size:
                    break
                file.write(chunk)
                advance(present)
    if present != size:
        part.unlink()
        raise AbsentError(f"{url}: the file there does not have {size} bytes")
