"""Download of one file over HTTP, resumed after interruptions and bounded in size."""

from collections.abc import Callable
from pathlib import Path

import httpx

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
"""Seconds to wait for data and for the connection."""
ATTEMPTS = 4
"""Attempts for one file; each continues where the previous one stopped."""

Advance = Callable[[int], None]
"""Called with the number of bytes present."""


class UnreachableError(Exception):
    """The source cannot be reached or does not answer."""


class AbsentError(Exception):
    """The source answers but does not have the file."""


def download(client: httpx.Client, url: str, part: Path, size: int, advance: Advance) -> None:
    """Download a file to a partial file, continuing what an earlier run left there.

    The partial file is complete afterwards, but not verified. Never more than ``size`` bytes are
    written.

    Raises:
        UnreachableError: the connection fails, or breaks ``ATTEMPTS`` times.
        AbsentError: the server answers with an error or with another size.
    """
    for attempt in range(ATTEMPTS):
        try:
            _resume(client, url, part, size, advance)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise UnreachableError(f"{url}: {error or type(error).__name__}") from error
        except httpx.TransportError as error:
            if attempt == ATTEMPTS - 1:
                raise UnreachableError(f"{url}: {error or type(error).__name__}") from error
        else:
            return


def _resume(client: httpx.Client, url: str, part: Path, size: int, advance: Advance) -> None:
    """Request the missing bytes; a server without range support sends all of them again."""
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
        raise AbsentError(f"{url}: the file's size is not {size} bytes")
