"""Removes what the service has stored about sessions, and marks that in the audit."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from redis import Redis
from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from aggregator.sinks.audit import Audit
from aggregator.sinks.video import unpack
from gateway.pool.quarantine import quarantine_folder
from gateway.sessions.store_scripts import keys
from lunapass.audit import records
from shared import video_store
from shared.config.service import Config
from shared.config.video import VideoConfig
from shared.errors import ConfigError, ResourceError
from shared.process.owner import as_owner_of
from shared.redis_connection import connect
from shared.session_log import FOLDER, read_opening
from shared.signing import Signer

REDIS_TIMEOUT = 5.0
SESSION = re.compile(r"[0-9a-f]{32}")
Store = Callable[[str], bool]
"""Removes a session; returns whether there was anything. Raises OSError or RedisError."""


class Erased(NamedTuple):
    """What happened to a session.

    Attributes:
        stores: stores from which something of it was removed.
        failed: stores in which something may be left, with the reasons.
    """

    stores: list[str]
    failed: dict[str, str]


class StoreFolder(NamedTuple):
    """A store's folder.

    Attributes:
        key: the configuration's key that names it.
        required: it must exist, since a missing one may mean that the files are elsewhere.
    """

    key: str
    path: Path
    required: bool


def require_session_id(text: str) -> None:
    """Refuse what is not a session id, since ids become paths and patterns.

    Raises:
        ConfigError: it is none.
    """
    if not SESSION.fullmatch(text):
        raise ConfigError(f"{text[:60]!r} is not a session id; allowed: 32 hexadecimal digits")


class Erasure:
    """The stores of one machine's configuration; folders also of plugins that are off by now.

    Relative paths are relative to the current folder, which must be the service's.

    Args:
        config: the service's configuration, with key files read.
        video: the video worker's; None where none runs on this machine.
        video_required: the folder of the videos must exist, also if VideoRedis is off.
    """

    def __init__(
        self, config: Config, video: VideoConfig | None, *, video_required: bool = False
    ) -> None:
        self._config = config
        ws = config.MIDDLEWARES.WS
        self._logs = Path(ws.FileLogger.args.path)
        self._audit = ws.Audit
        self._videos = None if video is None else Path(video.VIDEO.directory)
        self._spool = Path(ws.VideoRedis.args.spoolPath)
        self._callbacks = Path(ws.Callbacks.args.queuePath)
        self._quarantine = quarantine_folder(config)
        self._runtime = Path(config.TRANSPORT.runtimeDirectory)
        self._video_required = video_required or ws.VideoRedis.isEnabled
        self._frames = _redis(ws.VideoRedis.isEnabled, ws.VideoRedis.args.connectionString)
        address = config.SESSION_STORE.connectionString
        self._sessions = _redis(bool(address), address)
        self._stores: dict[str, Store] = {
            "FileLogger": self._erase_log,
            "spool": self._erase_spool,
            "Redis": self._erase_frames,
            "videos": self._erase_videos,
            "Callbacks": self._erase_answer,
            "session store": self._erase_stored,
            "quarantine": self._erase_quarantine,
        }

    def faults(self) -> list[str]:
        """Return an error for each folder that may have files which this would not find."""
        return [fault for folder in self._folders() if (fault := _fault(folder)) is not None]

    def unsearched(self) -> list[str]:
        """Return the stores that this does not search, with the reasons."""
        found = []
        if self._frames is None:
            found.append("Redis of the videos: [MIDDLEWARES.WS.VideoRedis] is off")
        if self._videos is None:
            found.append("videos: no configuration of a video worker; give it with --video-config")
        return found

    def _folders(self) -> Iterator[StoreFolder]:
        ws, runtime = self._config.MIDDLEWARES.WS, self._runtime
        yield StoreFolder(
            "[MIDDLEWARES.WS.FileLogger] args.path", self._logs, ws.FileLogger.isEnabled
        )
        place = "[MIDDLEWARES.WS.VideoRedis] args.spoolPath"
        yield StoreFolder(place, self._spool, ws.VideoRedis.isEnabled)
        place = "[MIDDLEWARES.WS.Callbacks] args.queuePath"
        yield StoreFolder(place, self._callbacks, ws.Callbacks.isEnabled)
        place = "[MIDDLEWARES.WS.Audit] args.path"
        yield StoreFolder(place, Path(self._audit.args.path), self._audit.isEnabled)
        if self._videos is not None:
            yield StoreFolder("[VIDEO] directory", self._videos, self._video_required)
        # An absolute one is missing after a boot, and where only video workers run.
        yield StoreFolder("[TRANSPORT] runtimeDirectory", runtime, not runtime.is_absolute())
        # It is created with its first frame.
        yield StoreFolder("[WORKERS] quarantineDirectory", self._quarantine, required=False)

    def of_subject(self, subject: str) -> set[str]:
        """Return the sessions of a person: ``sub`` of their start tokens."""
        return {session for session, _, start in self._known() if start.get("sub") == subject}

    def before(self, time: float) -> set[str]:
        """Return the sessions that began before a Unix time in seconds."""
        old = {session for session, opened, _ in self._known() if opened < time}
        if self._videos is not None:
            files = self._videos.glob("*.mp4")
            old |= {file.stem for file in files if file.stat().st_mtime < time}
        return {session for session in old if SESSION.fullmatch(session)}

    def erase(self, session: str) -> Erased:
        """Remove a session from every store.

        What a sink has not written yet would be written later, so frames are removed from the spool
        before they are removed from Redis, to which the spool is delivered.

        Raises:
            ConfigError: it is no session id.
        """
        require_session_id(session)
        erased = Erased([], {})
        for name, erase in self._stores.items():
            try:
                if erase(session):
                    erased.stores.append(name)
            except (OSError, RedisError) as error:
                erased.failed[name] = str(error)
        return erased

    def mark(self, erased: dict[str, Erased]) -> None:
        """Append a mark for each session to the audit, if it is on.

        Raises:
            ResourceError: the audit cannot be written.
        """
        if not self._audit.isEnabled:
            return
        signer = Signer(self._config.LUNA_PASS.JWT)
        with as_owner_of(Path(self._audit.args.path)):  # the service continues these files
            audit = Audit(self._audit.args, signer)
            for session, (stores, failed) in erased.items():
                fields = {"session": session, "stores": stores, "failed": sorted(failed)}
                audit.add("erased", fields)
            audit.close()
        if audit.disabled:
            raise ResourceError(f"the erasure cannot be recorded in {self._audit.args.path}")

    def _known(self) -> Iterator[tuple[str, float, dict[str, str]]]:
        """Yield id, opening and start claims of the sessions in the audit and FileLogger's logs."""
        for record in records(Path(self._audit.args.path)):
            if record["event"] == "session":
                yield record["session"], record["opened"], record["start"]
        folders = self._logs.iterdir() if self._logs.is_dir() else ()
        for folder in folders:
            opening = read_opening(folder) if FOLDER.fullmatch(folder.name) else None
            if opening is not None and opening.get("event") == "opened":
                yield folder.name, opening["at"], opening.get("start", {})

    # Stores

    def _erase_log(self, session: str) -> bool:
        folder = self._logs / session
        if not folder.is_dir():
            return False
        shutil.rmtree(folder)
        return True

    def _erase_videos(self, session: str) -> bool:
        if self._videos is None:
            return False
        unfinished = self._videos.glob(f".{session}.*")
        return _unlink([*self._videos.glob(f"{session}.*"), *unfinished])

    def _erase_spool(self, session: str) -> bool:
        """Remove spooled frames; their process skips an entry whose file is missing."""
        return _unlink([file for file in self._spool.glob("*/*.entry") if _is_of(file, session)])

    def _erase_answer(self, session: str) -> bool:
        return _unlink(list(self._callbacks.glob(f"*/{session}.json")))

    def _erase_quarantine(self, session: str) -> bool:
        """Remove frames; each cell has a folder of its own, also the only one of the units."""
        frames = self._quarantine.glob(f"{session}-*")
        of_cells = self._runtime.glob(f"[0-9]*/quarantine/{session}-*")
        return _unlink([*frames, *of_cells])

    def _erase_frames(self, session: str) -> bool:
        if self._frames is None:
            return False
        try:
            job = Job.fetch(
                video_store.job_id(session), connection=self._frames, serializer=JSONSerializer
            )
            job.delete()
        except NoSuchJobError:
            pass
        names = video_store.frames_key(session), video_store.meta_key(session)
        return bool(self._frames.delete(*names))

    def _erase_stored(self, session: str) -> bool:
        """Remove the stored session, but not its term and owner: they hold no personal data."""
        return self._sessions is not None and bool(self._sessions.delete(*keys(session)[:2]))


def _fault(folder: StoreFolder) -> str | None:
    """Return why a folder's files cannot be found; None if they can."""
    try:
        os.scandir(folder.path).close()
    except FileNotFoundError:
        if not folder.required:
            return None
        fault = (
            "no such folder; give the service's own with --directory and --runtime-directory; if "
            "this machine has never stored anything there, create it as the service's user"
        )
    except OSError as error:
        fault = f"{error.strerror}; run this as root or as the service's user"
    else:
        return None
    return f"{folder.key}: {folder.path.absolute()}: {fault}"


def _redis(on: bool, address: str) -> Redis | None:
    return connect(address, timeout=REDIS_TIMEOUT) if on else None


def _is_of(file: Path, session: str) -> bool:
    try:
        return unpack(file.read_bytes()).session == session
    except (ValueError, FileNotFoundError):  # damaged, or delivered meanwhile
        return False


def _unlink(files: list[Path]) -> bool:
    for file in files:
        file.unlink(missing_ok=True)
    return bool(files)
