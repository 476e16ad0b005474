"""The layout of the packages: who imports whom, and that a class name stands for one class."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW = {
    "shared": set(),
    "gateway": {"shared"},
    "inference_pool": {"shared"},
    "aggregator": {"shared"},
    "video_builder": {"shared"},
    "deploy": {"shared", "inference_pool"},
    "loadtest": {"shared"},
    "evaluation": {"shared", "inference_pool"},
}
"""What each package may import. ``lunapass`` puts all together and may import every one."""
PACKAGES = {*BELOW, "lunapass"}

Imports = list[tuple[str, bool]]
"""Imported names with their modules, and whether they are imported as the module is loaded."""


def imports(node: ast.AST, *, at_once: bool = True) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((name.name, at_once) for name in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield from ((f"{child.module}.{name.name}", at_once) for name in child.names)
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        )
        yield from imports(child, at_once=at_once and not later)


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """Every module of the product by its name."""
    files = [file for package in sorted(PACKAGES) for file in (ROOT / package).rglob("*.py")]
    assert len(files) > 200
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return {
        name.removesuffix(".__init__"): ast.parse(file.read_text())
        for name, file in zip(names, files, strict=True)
    }


@pytest.fixture(scope="module")
def imported(trees: dict[str, ast.Module]) -> dict[str, Imports]:
    """What each module imports."""
    return {name: list(imports(tree)) for name, tree in trees.items()}


def test_a_package_imports_what_lies_below_it(imported: dict[str, Imports]) -> None:
    """A process's package never imports another process's, and none imports the command line."""
    found = [
        f"{module} imports {name}"
        for module, names in imported.items()
        for package in [module.partition(".")[0]]
        for name, _ in names
        if name.partition(".")[0] in PACKAGES - BELOW.get(package, PACKAGES) - {package}
    ]
    assert found == []


@pytest.mark.parametrize(
    ("folder", "other"),
    [
        ("aggregator.plugins", "aggregator.sinks"),
        ("aggregator.sinks", "aggregator.plugins"),
        ("loadtest.synthetic", "loadtest"),
        ("inference_pool.onnx", "inference_pool.models.pulling"),
    ],
)
def test_folders_that_are_kept_apart(imported: dict[str, Imports], folder: str, other: str) -> None:
    """What judges and what writes; the person and the crowd; what a worker runs and a pull."""
    inside = {
        module: names for module, names in imported.items() if module.startswith(f"{folder}.")
    }
    found = [
        f"{module} imports {name}"
        for module, names in inside.items()
        for name, _ in names
        if name.startswith(f"{other}.") and not name.startswith(f"{folder}.")
    ]
    assert inside
    assert found == []


def test_no_import_goes_in_a_circle(imported: dict[str, Imports]) -> None:
    """As modules are loaded; the error of the sorter names the circle."""
    graph = {
        module: {
            name if name in imported else name.rpartition(".")[0]
            for name, at_once in names
            if at_once
        }
        - {module}
        for module, names in imported.items()
    }
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("role", ["aggregator.service", "gateway.service"])
def test_a_role_loads_no_client_that_it_may_not_need(
    imported: dict[str, Imports], role: str
) -> None:
    """Redis and HTTP clients are off by default, and take a third of the time of a restart."""
    loaded, found = {role}, [role]
    while found:
        for name, at_once in imported[found.pop()]:
            module = name if name in imported else name.rpartition(".")[0]
            if at_once and module not in loaded:
                loaded.add(module)
                found += [module] * (module in imported)
    assert "shared.config.service" in loaded
    assert [module for module in loaded if module.startswith(("redis", "httpx", "rq"))] == []


def test_a_class_name_exists_once(trees: dict[str, ast.Module]) -> None:
    """So a name in a log, a trace or a search means one thing."""
    homes = defaultdict(list)
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(module)
    assert not {name: modules for name, modules in homes.items() if len(modules) > 1}
