"""Time is read in one place, and objects pass their clock to the objects that they create."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.process.clock import SYSTEM
from tests.support.clock import SettableClock

ROOT = Path(__file__).parents[3]
PACKAGES = ("aggregator", "gateway", "inference_pool", "lunapass", "shared", "video_builder")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def test_the_default_clock_uses_the_system_functions() -> None:
    """They are called directly, several times per frame."""
    assert (SYSTEM.wall, SYSTEM.monotonic) == (time.time, time.monotonic)


def test_a_step_moves_only_the_wall_clock() -> None:
    """In the tests' clock the two are independent, as on a machine."""
    clock = SettableClock(wall_time=1000.0, monotonic_time=5.0)
    clock.advance(2.0)
    clock.step(-3600.0)
    assert (clock.wall(), clock.monotonic()) == (-2598.0, 7.0)


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield module, ast.parse(path.read_text())


def takes_clock(defined: Definition) -> bool:
    """Return whether a function or class has a parameter ``clock``."""
    if isinstance(defined, ast.ClassDef):
        fields = [node.target for node in defined.body if isinstance(node, ast.AnnAssign)]
        if defined.decorator_list and any(getattr(name, "id", "") == "clock" for name in fields):
            return True
        return any(
            isinstance(node, ast.FunctionDef) and node.name == "__init__" and takes_clock(node)
            for node in defined.body
        )
    return any(arg.arg == "clock" for arg in (*defined.args.args, *defined.args.kwonlyargs))


def calls_with_a_clock_at_hand(node: ast.AST, at_hand: bool) -> Iterator[ast.Call]:
    """Yield the calls within a function or class that gets a clock."""
    for child in ast.iter_child_nodes(node):
        here = at_hand or (isinstance(child, Definition) and takes_clock(child))
        if isinstance(child, ast.Call) and at_hand:
            yield child
        yield from calls_with_a_clock_at_hand(child, here)


def names_of(module: str, tree: ast.Module) -> dict[str, str]:
    """Return the full names of what a module imports or defines."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {item.asname or item.name: f"{node.module}.{item.name}" for item in node.names}
        elif isinstance(node, Definition):
            names[node.name] = f"{module}.{node.name}"
    return names


def passes_clock(call: ast.Call) -> bool:
    """Return whether an argument is a clock by its name, such as ``self._clock``."""
    given = [*call.args, *(word.value for word in call.keywords if word.arg == "clock")]
    return any(re.search(r"\b_?clock$", ast.unparse(argument)) for argument in given)


def dropped(modules: list[tuple[str, ast.Module]]) -> list[str]:
    """Yield the calls that do not pass the clock on."""
    wanting = {
        f"{module}.{node.name}"
        for module, tree in modules
        for node in tree.body
        if isinstance(node, Definition) and takes_clock(node)
    }
    found = []
    for module, tree in modules:
        names = names_of(module, tree)
        for call in calls_with_a_clock_at_hand(tree, at_hand=False):
            called = names.get(ast.unparse(call.func), "")
            if called in wanting and not passes_clock(call):
                found.append(f"{module}:{call.lineno} {called}")
    return found


def test_no_clock_is_dropped() -> None:
    """Otherwise an object would read the machine's time although a test sets another."""
    modules = list(sources())
    assert len(modules) > 100
    assert dropped(modules) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("return Part(clock=self.clock)", 0),
        ("return Part(1, self._clock)", 0),
        ("return Part()", 1),
        ("return Part(self.clockwork)", 1),
        ("return Other()", 0),
    ],
)
def test_a_dropped_clock_is_found(body: str, found: int) -> None:
    """The check finds a callee with a parameter ``clock`` and a caller with a clock."""
    text = f"""
class Part:
    def __init__(self, *, clock=SYSTEM): ...
class Other: ...
@dataclass
class Whole:
    clock: Clock
    def make(self):
        {body}
def start():
    return Part()
"""
    assert len(dropped([("shared.example", ast.parse(text))])) == found


def test_no_event_loop_is_asked_for_the_time() -> None:
    """The linter forbids functions of ``time`` and ``datetime``, but not this method."""
    asked = [
        f"{module}:{call.lineno}"
        for module, tree in sources()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "time"
        and not (call.args or call.keywords)
    ]
    assert asked == []
