"""The console and the progress bar of commands that measure many files."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

One = TypeVar("One")


def wide_console(width: int) -> Console:
    """Return a console that has ``width`` columns if it is not a terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=width)


def watched(
    items: Iterable[One], total: int, name: Callable[[One], str], task: str = "measuring"
) -> Iterator[One]:
    """Yield the items; show a progress bar on standard error if that is a terminal.

    ``name`` describes an item beside the bar.
    """
    columns = (
        *Progress.get_default_columns()[:2],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[name]}", markup=False),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(task, total=total, name="")
        for one in items:
            progress.update(bar, name=name(one)[-40:])
            yield one
            progress.update(bar, advance=1)
