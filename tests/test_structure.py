"""The structure of the packages: allowed imports and unique class names."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter

import pytest

from tests.support.service import ROOT
from tests.support.syntax_trees import PACKAGES, Trees, product_trees

BELOW: dict[str, set[str]] = {
    "shared": set(),
    "gateway": {"shared"},
    "inference_pool": {"shared"},
    "aggregator": {"shared"},
    "video_builder": {"shared"},
    "deploy": {"shared", "inference_pool"},
    "loadtest": {"shared"},
    "evaluation": {"shared", "inference_pool", "aggregator"},
}
"""What each package may import besides ``lunapass_client``; ``lunapass`` may import every one.

``lunapass_client`` is built alone, too, and imports none of them.
"""


def allowed(package: str) -> set[str]:
    """Packages that a package may import."""
    if package == "lunapass_client":
        return {package}
    return {package, "lunapass_client", *BELOW.get(package, PACKAGES)}


Imports = list[tuple[str, bool]]
"""Imported names with their modules, and whether the import runs when the module is loaded."""


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
def trees() -> Trees:
    return product_trees()


@pytest.fixture(scope="module")
def imported(trees: Trees) -> dict[str, Imports]:
    """What each module imports."""
    return {name: list(imports(tree)) for name, tree in trees.items()}


def test_a_package_imports_only_packages_below_it(imported: dict[str, Imports]) -> None:
    """A process's package never imports another process's, and none imports the command line."""
    found = [
        f"{module} imports {name}"
        for module, names in imported.items()
        for package in [module.partition(".")[0]]
        for name, _ in names
        if name.partition(".")[0] in PACKAGES - allowed(package)
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
def test_unrelated_folders_do_not_import_each_other(
    imported: dict[str, Imports], folder: str, other: str
) -> None:
    """Judging and side effects; rendering and load; a worker's models and their download."""
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


def test_imports_have_no_cycle(imported: dict[str, Imports]) -> None:
    """This applies to imports at module level; the error names the cycle."""
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


@pytest.mark.parametrize(
    ("role", "unneeded"),
    [
        ("aggregator.service", ("redis", "httpx", "rq", "websockets")),
        ("inference_pool.worker", ("redis", "httpx", "rq", "websockets")),
        ("gateway.service", ("redis", "httpx", "rq")),
    ],
)
def test_a_role_loads_no_client_at_start_up(
    imported: dict[str, Imports], role: str, unneeded: tuple[str, ...]
) -> None:
    """Redis and HTTP clients are off by default and would take a third of the time of a restart.

    websockets takes 12 MB of each process.
    """
    loaded, found = {role}, [role]
    while found:
        for name, at_once in imported[found.pop()]:
            module = name if name in imported else name.rpartition(".")[0]
            if at_once and module not in loaded:
                loaded.add(module)
                found += [module] * (module in imported)
    assert "shared.config.service" in loaded
    assert [module for module in loaded if module.startswith(unneeded)] == []


def test_a_class_name_exists_once(trees: Trees) -> None:
    """A class name in a log, a trace or a search is unambiguous."""
    homes = defaultdict(list)
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(module)
    assert not {name: modules for name, modules in homes.items() if len(modules) > 1}


GATEWAY_LAYERS: list[tuple[str, ...]] = [
    ("gateway.counters", "gateway.death_watch", "gateway.ledger", "gateway.metrics"),
    ("gateway.limits",),
    ("gateway.state",),
    ("gateway.pool",),
    ("gateway.sessions",),
    ("gateway.statistics", "gateway.traces"),
    ("gateway.web",),
    ("gateway.service",),
]
"""Each layer may import those before it; the folders are rows of docs/architecture.md, reversed."""


def layer_of(module: str) -> int | None:
    """The index of a module's layer; None if it is in none or in two."""
    found = [
        index
        for index, names in enumerate(GATEWAY_LAYERS)
        if any(f"{module}.".startswith(f"{name}.") for name in names)
    ]
    return found[0] if len(found) == 1 else None


def test_the_layers_of_the_gateway_are_imported_in_one_direction(
    imported: dict[str, Imports],
) -> None:
    """Late imports count, too; every module of the package is in one layer."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    folders = ("web", "sessions", "pool", "state", "limits")
    rows = [f"| `gateway/{folder}/` |" for folder in folders]
    assert sorted(rows, key=text.index) == rows
    modules = [module for module in imported if module.startswith("gateway.")]
    assert [module for module in modules if layer_of(module) is None] == []
    found = [
        f"{module} imports {name}"
        for module in modules
        for name, _ in imported[module]
        if name.startswith("gateway.")
        for own, other in [(layer_of(module), layer_of(name))]
        if own is not None and other is not None and other > own
    ]
    assert found == []


FRAME_PATH = [
    "gateway.web.connection",
    "gateway.sessions.sessions",
    "gateway.sessions.frames",
    "gateway.pool.dispatch",
    "gateway.sessions.judgement",
    "gateway.state.session",
]
"""The modules that docs/architecture.md lists, in its order."""


def test_modules_on_the_path_of_a_frame_import_in_one_direction(
    imported: dict[str, Imports],
) -> None:
    """Each of the modules that handle a frame imports only later ones."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = [f"| `{module.replace('.', '/')}.py` |" for module in FRAME_PATH]
    assert [text.count(row) for row in rows] == [1] * len(rows)
    assert sorted(rows, key=text.index) == rows
    found = [
        f"{module} imports {name}"
        for number, module in enumerate(FRAME_PATH)
        for name, _ in imported[module]
        for earlier in FRAME_PATH[:number]
        if name.startswith(f"{earlier}.")
    ]
    assert found == []


def test_no_import_is_for_type_checkers_only(trees: Trees) -> None:
    """It would hide a cycle. Optional packages and lazily imported modules are exempt."""
    found = []
    for module, tree in trees.items():
        late = {
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for name, _ in imports(node)
        }
        found += [
            f"{module} imports {name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            for name, _ in imports(node)
            if name.partition(".")[0] in PACKAGES and name not in late
        ]
    lazy = ("lunapass.commands.", "lunapass_client imports lunapass_client.api.")
    assert [line for line in found if not line.startswith(lazy)] == []
