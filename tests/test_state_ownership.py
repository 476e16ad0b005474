"""State has one owner: only a session's class changes it, and constructors set all attributes."""

import ast
from collections.abc import Iterator

import pytest

from tests.support.syntax_trees import Trees, product_trees


@pytest.fixture(scope="module")
def trees() -> Trees:
    return product_trees()


SESSION_MODULES = {"gateway.state.session", "gateway.state.record"}
AGGREGATOR_STATE = {
    ("Entry", "Pending"): {"aggregator.entry", "aggregator.sessions"},
    ("JudgedSession", "Judging"): {"aggregator.session"},
}
"""The classes that hold a session's state in the aggregator, and the modules that may change it."""
MUTATORS = {
    "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse",
    "setdefault", "sort", "update",
}  # fmt: skip


def fields_of(classes: tuple[str, ...], modules: list[ast.Module]) -> set[str]:
    """Names of the data of some classes."""
    return {
        statement.target.id
        for module in modules
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef) and node.name in classes
        for statement in node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }


def of_another(node: ast.AST) -> ast.Attribute | None:
    """Return the attribute that an expression names, if its object is not ``self``."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if not isinstance(node, ast.Attribute):
        return None
    return None if isinstance(node.value, ast.Name) and node.value.id == "self" else node


def changed_outside(tree: ast.Module) -> Iterator[ast.Attribute]:
    """Yield attributes of other objects that a module assigns, deletes or changes in place."""
    for node in ast.walk(tree):
        named = node if isinstance(node, ast.Attribute | ast.Subscript) else None
        if named is not None and isinstance(named.ctx, ast.Store | ast.Del):
            found = of_another(named)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found = of_another(node.func.value) if node.func.attr in MUTATORS else None
        else:
            continue
        if found is not None:
            yield found


def changes_by_others(trees: Trees, package: str, owners: set[str], fields: set[str]) -> list[str]:
    """Return where modules of a package, except the owners, change one of the fields."""
    return [
        f"{module}:{attribute.lineno} changes {ast.unparse(attribute)}"
        for module, tree in trees.items()
        if module.startswith(package) and module not in owners
        for attribute in changed_outside(tree)
        if attribute.attr in fields
    ]


def test_only_a_session_changes_itself(trees: Trees) -> None:
    """Other modules read its data and call its methods."""
    modules = [trees[module] for module in SESSION_MODULES]
    fields = fields_of(("Session", "SessionRecord"), modules)
    assert {"state", "active", "waiting", "result", "outlet"} <= fields
    assert changes_by_others(trees, "gateway.", SESSION_MODULES, fields) == []


@pytest.mark.parametrize("classes", AGGREGATOR_STATE)
def test_only_their_modules_change_the_aggregators_sessions(
    trees: Trees, classes: tuple[str, ...]
) -> None:
    """``Entry`` has the log and the open question, ``JudgedSession`` the state of the fold.

    Plugins may change the context of a session.
    """
    owners = AGGREGATOR_STATE[classes]
    fields = fields_of(classes, [trees[module] for module in owners])
    fields -= fields_of(("SessionContext",), [trees["aggregator.plugins.base"]])
    assert {"pending", "judging"} & fields
    assert changes_by_others(trees, "aggregator.", owners, fields) == []


def test_no_attribute_of_the_gateway_is_set_from_outside(
    trees: Trees,
) -> None:
    """Objects get their parts through the constructor.

    Only a session sets the fields of its frames.
    """
    modules = {
        module: tree
        for module, tree in trees.items()
        if module == "gateway.service" or module.startswith(("gateway.sessions.", "gateway.state."))
    }
    found = [
        f"{module}:{node.lineno} assigns {ast.unparse(node)}"
        for module, tree in modules.items()
        if module not in SESSION_MODULES
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and of_another(node)
    ]
    assert len(modules) > 10
    assert found == []


DECLARING = {"Protocol", "NamedTuple", "TypedDict", "Struct", "Wire", "BaseModel"}


def declares_fields(node: ast.ClassDef) -> bool:
    """Whether annotations in a class body declare its fields, slots or protocol members."""
    names = [*node.decorator_list, *node.bases]
    slots = any("__slots__" in ast.unparse(line) for line in node.body)
    kinds = {ast.unparse(name).partition("(")[0] for name in names}
    return slots or bool(kinds & {"dataclass", *DECLARING})


def test_no_attribute_of_a_gateway_is_declared_without_a_value(
    trees: Trees,
) -> None:
    """Other code would have to set it, and mypy would not notice if none did."""
    gateway = [(name, tree) for name, tree in trees.items() if name.startswith("gateway")]
    found = []
    for module, tree in gateway:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not declares_fields(node):
                bare = [one for one in node.body if isinstance(one, ast.AnnAssign)]
            elif isinstance(node, ast.FunctionDef):
                bare = [
                    one
                    for one in ast.walk(node)
                    if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Attribute)
                ]
            else:
                continue
            found += [f"{module}:{one.lineno}" for one in bare if one.value is None]
    assert found == []
