"""User plugins for tests."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from lunapass.plugins import FrameJudgement, Plugin, Question, SessionContext
from shared.config.service import Config
from tests.support.waiting import until


class Oracle(Plugin):
    """Asks an external service about each good frame; its arguments determine the answer."""

    class Args(BaseModel):
        """What the test sets."""

        answer: str = "yes"
        seconds: float = Field(default=0.0, ge=0)
        patience: float = 5.0
        folder: str = ""
        """Folder: each question adds a line to ``asked``, and waits while ``shut`` exists."""

    asked = 0

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> Question | None:
        return Question(self._ask, self.args.patience) if frame.ok else None

    async def _ask(self) -> bytes:
        Oracle.asked += 1
        await asyncio.sleep(self.args.seconds)
        if self.args.folder:
            await self._wait(Path(self.args.folder))
        if self.args.answer == "raise":
            raise ConnectionError("unreachable")
        return bytes(self.args.answer, "ascii")

    async def _wait(self, folder: Path) -> None:
        with (folder / "asked").open("a") as asked:
            asked.write("once\n")
        while (folder / "shut").exists():  # noqa: ASYNC110  a file has no event
            await asyncio.sleep(0.01)

    def on_answer(
        self, context: SessionContext, frame: FrameJudgement, answer: bytes | None
    ) -> None:
        super().on_answer(context, frame, answer)
        context.data["oracle"] = (answer or b"-").decode()
        if answer == b"no":
            frame.refuse(90)


class Outside:
    """The external service of ``Oracle``: answers while it is open, and counts the questions."""

    def __init__(self, folder: Path) -> None:
        self._shut, self._asked = folder / "shut", folder / "asked"
        self._asked.write_text("")
        self._shut.touch()

    async def wait_asked(self, times: int = 1) -> None:
        await until(lambda: len(self._asked.read_text().splitlines()) == times)

    def open(self) -> None:
        self._shut.unlink(missing_ok=True)


class Raising(Plugin):
    """Raises at the places that its arguments name."""

    class Args(BaseModel):
        """What the test sets."""

        where: str = "estimate"

    def __init__(self, args: Args) -> None:
        super().__init__(args)
        self._raise("init")

    def _raise(self, where: str) -> None:
        if self.args.where == where:
            raise RuntimeError(f"broken in {where}")

    def on_open(self, context: SessionContext) -> None:
        self._raise("open")

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        self._raise("estimate")

    def on_close(self, context: SessionContext, *, accepted: bool) -> None:
        self._raise("close")


class Lenient(Plugin):
    """Removes codes of others, which no plugin may do."""

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        frame.errors.clear()

    def on_reuse(self, context: SessionContext, frame: FrameJudgement) -> None:
        frame.errors = []
        frame.withheld = frame.ended = False


class Ending(Plugin):
    """Ends the session without giving a code."""

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        frame.ended = True


class Reporting(Plugin):
    """Reports, or objects with, data that is not JSON."""

    class Args(BaseModel):
        """What the test sets."""

        what: str
        at: str = "estimate"

    def _report(self, context: SessionContext) -> None:
        things: dict[str, object] = {
            "set": {1},
            "nan": [float("nan")],
            "bytes": b"x",
            "inner key": {None: 1},
            "numpy": [np.float64(0.5), np.str_("x")],
        }
        if self.args.what in things:
            context.data |= {"good": 1, "bad": things[self.args.what]}
        elif self.args.what == "key":
            context.data[("a", "b")] = 1  # type: ignore[index]
        elif self.args.what == "nothing":
            context.data = None  # type: ignore[assignment]

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        if self.args.at == "estimate":
            self._report(context)
            if self.args.what == "code":
                frame.refuse([1])  # type: ignore[arg-type]
            if self.args.what == "-1":
                frame.refuse(-1)

    def on_close(self, context: SessionContext, *, accepted: bool) -> None:
        if self.args.at == "close":
            self._report(context)


class Closing(Plugin):
    """Has a resource shared by all sessions; ``closed`` has the numbers of the closed ones."""

    made = 0
    closed: ClassVar[list[int]] = []

    @classmethod
    def factory(cls, args: Any, config: Config) -> ClosingMaker:
        cls.made += 1
        return ClosingMaker(cls.made)


class ClosingMaker:
    """Makes the plugin of each session."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __call__(self) -> Any:
        return Closing()

    async def close(self) -> None:
        Closing.closed.append(self._number)


class NoPlugin:
    """Has the wrong base."""
