"""Records a labelled set of sessions at a kiosk, step by step.

The operator does each check at the kiosk, live or with an attack. FileLogger stores it; then its
folder is copied to the place in the set that ``evaluate --sessions`` reads.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.samples import ATTACK, LIVE
from shared.errors import ResourceError, os_errors
from shared.session_log import FILE, SessionLog, folders, read_session

SPECIES = tuple(
    f"{medium} {held}"
    for medium in ("print", "phone photo", "phone video", "tablet photo", "tablet video")
    for held in ("in a hand", "on a stand")
)
SKIP, STOP = "s", "q"


@dataclass(frozen=True, slots=True)
class CaptureStep:
    """What the operator does, some times.

    Attributes:
        species: kind of attack; empty for a live check.
        subject: the person before the camera, or shown by the attack.
    """

    species: str
    subject: str
    times: int

    @property
    def folder(self) -> Path:
        """Where its sessions are stored in the set."""
        return (
            Path(ATTACK, self.species, self.subject) if self.species else Path(LIVE, self.subject)
        )

    @property
    def task(self) -> str:
        """What to do, in words."""
        if self.species:
            return f"attack: {self.species}, of {self.subject}"
        return f"live: {self.subject} in person"


def plan_capture(
    people: Sequence[str], portraits: Sequence[str], species: Sequence[str], times: int
) -> list[CaptureStep]:
    """Plan live checks of the people, and each species of attack with people and portraits.

    Raises:
        ResourceError: a name cannot be that of a folder.
    """
    for name in (*people, *portraits, *species):
        _require_name(name)
    live = [CaptureStep("", person, times) for person in people]
    return live + [
        CaptureStep(one, subject, times) for one in species for subject in (*people, *portraits)
    ]


def _require_name(name: str) -> None:
    if not name.strip() or name.startswith(".") or {"/", "\0"} & set(name) or name == LIVE:
        raise ResourceError(f"found the name {name!r}; expected one that a folder can have")


class Capture:
    """Takes the operator through the steps.

    A step that has all its sessions is not repeated, so that a capture can be continued.

    Args:
        logs: FileLogger's path.
        ask: shows a request and returns the operator's answer.
    """

    def __init__(
        self, logs: Path, target: Path, ask: Callable[[str], str], say: Callable[[str], None]
    ) -> None:
        self._logs = logs
        self._target = target
        self._ask = ask
        self._say = say

    def run(self, steps: Sequence[CaptureStep]) -> None:
        """Do the steps until they are done or the operator stops.

        Raises:
            ResourceError: a folder cannot be read or written.
        """
        for number, step in enumerate(steps, 1):
            answer = self._do(step, f"[{number}/{len(steps)}]")
            if answer == STOP:
                return

    def _do(self, step: CaptureStep, place: str) -> str:
        """Do a step; return the operator's last answer."""
        while (missing := step.times - self._stored(step)) > 0:
            known = {folder.name for folder in self._sessions()}
            request = (
                f"{place} {step.task}, {missing} to do. Do one check, then press Enter"
                f" ({SKIP}: skip, {STOP}: stop)"
            )
            answer = self._ask(request).strip().lower()
            if answer in (SKIP, STOP):
                return answer
            new = [folder for folder in self._sessions() if folder.name not in known]
            if not new:
                self._say(f"  There is no new session in {self._logs}; do the check again.")
            for folder in new:
                self._say(_report(_copy(folder, self._target / step.folder)))
        return ""

    def _sessions(self) -> Iterator[Path]:
        with os_errors(self._logs):
            yield from folders(self._logs)

    def _stored(self, step: CaptureStep) -> int:
        return len(list((self._target / step.folder).glob(f"*/{FILE}")))


def _copy(session: Path, folder: Path) -> SessionLog:
    """Copy a session into a folder, and read it there.

    The log is read first: each of its lines then has its image, even if the session continues. The
    copy has a hidden name, which ``evaluate`` ignores, until it is complete.
    """
    part, whole = folder / f".{session.name}", folder / session.name
    try:
        log = (session / FILE).read_bytes()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        for file in session.iterdir():
            if file.name != FILE:
                shutil.copy2(file, part)
        (part / FILE).write_bytes(log)
        part.rename(whole)
        return read_session(whole)
    except (OSError, ValueError) as error:
        raise ResourceError(f"cannot copy {session} to {folder}: {error}") from error


def _report(log: SessionLog) -> str:
    images = sum(frame.file is not None for frame in log.frames)
    if log.verdict is None:
        ending = "has not ended; the frames until now are stored"
    else:
        ending = "was accepted" if log.verdict.accepted else "was not accepted"
    return f"  Stored {log.folder.name} with {images} frames; the session {ending}."
