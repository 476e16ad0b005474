"""Loads the user's task file and finds the functions that a job may name.

The worker's configuration sets the file (``WORKER.task``), the service's the function
(``args.workerTask``). So a client that can write to Redis can choose among the functions of that
file, and cannot run anything else.
"""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from shared.errors import ConfigError
from video_builder.errors import RefusedError
from video_builder.film import Film

MODULE = "task"
"""Prefix of a task's name, as in ``task.run``."""

Task = Callable[[Film], object]


class Tasks:
    """The functions of one task file, a Python file, which is executed.

    Raises:
        ConfigError: the file cannot be read or executed, or has no function.
    """

    def __init__(self, file: Path) -> None:
        module = _execute(file)
        self._functions: dict[str, Task] = {
            f"{MODULE}.{name}": value
            for name, value in vars(module).items()
            if not name.startswith("_")
            and callable(value)
            and getattr(value, "__module__", None) == module.__name__
        }
        if not self._functions:
            raise ConfigError(
                f"[WORKER] task: {file} has no function; allowed: a file with a function such as "
                "run(film); write one"
            )

    @property
    def names(self) -> list[str]:
        """Names of the tasks."""
        return sorted(self._functions)

    def find(self, name: object) -> Task:
        """Return the function with a name.

        Raises:
            RefusedError: the task file has no such function.
        """
        function = self._functions.get(name) if isinstance(name, str) else None
        if function is None:
            raise RefusedError(
                f"there is no task {name!r} here; allowed: {', '.join(self.names)}; correct "
                "args.workerTask of VideoRedis, or write the function"
            )
        return function


def _execute(file: Path) -> ModuleType:
    place = "[WORKER] task"
    spec = importlib.util.spec_from_file_location(f"lunapass_video_{MODULE}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ConfigError(f"{place}: {file} is not a Python file; give the path of one")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        kind = type(error).__name__
        raise ConfigError(f"{place}: {file} cannot be run: {kind}: {error}; correct it") from error
    return module
