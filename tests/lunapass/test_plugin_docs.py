"""The pages on plugins, the configuration and the code agree."""

from __future__ import annotations

import dataclasses
import json
import re
from itertools import permutations
from pathlib import Path

import pytest

from aggregator.plugins import registry, virtual_camera
from aggregator.plugins.actions import Action
from aggregator.plugins.active_liveness import ActiveLiveness
from aggregator.plugins.base import Plugin
from shared.codes import HINTS, Code
from shared.config.base import Section
from shared.config.middlewares import RequestMiddlewares, WsMiddlewares
from shared.config.schema import section_of
from shared.config.service import Config
from shared.config.source import EFFECTS
from shared.frame.estimation import Estimate

ROOT = Path(__file__).parents[2]
PAGES = ("plugins.md", "side-effects.md")
TEXT = "\n".join((ROOT / "docs" / page).read_text() for page in PAGES)
GUIDE = (ROOT / "docs" / "plugin-development.md").read_text()
SECTIONS = {part.split("\n")[0]: part for part in TEXT.split("\n## ")[1:]}
OWN = "Plugins of your own"
FIELDS = {**RequestMiddlewares.model_fields, **WsMiddlewares.model_fields}


def args_of(name: str) -> type[Section] | None:
    """The model of a plugin's args in the configuration."""
    section = section_of(FIELDS[name])
    assert section is not None
    field = section.model_fields.get("args")
    return section_of(field) if field is not None else None


def keys_of(name: str) -> set[str]:
    args = args_of(name)
    return set(args.model_fields) if args is not None else set()


def test_every_plugin_has_its_section_and_no_other() -> None:
    """Each plugin of the configuration is described, and nothing else."""
    assert set(SECTIONS) == {*FIELDS, OWN}


def test_every_plugin_is_implemented() -> None:
    """Some part of the service implements each plugin of the configuration."""
    assert {*registry.BUILT_IN, *EFFECTS} == set(WsMiddlewares.model_fields)


def test_the_order_is_that_of_the_code() -> None:
    """The table has the order of the registry, with user plugins before those that decide."""
    rows = re.findall(r"^\| (\d+) \| \[(.+?)\]\(#(.+?)\)", TEXT, re.MULTILINE)
    names = [*registry.GATHERING, OWN[0].lower() + OWN[1:], *registry.DECIDING]
    assert [row[:2] for row in rows] == [(str(n), name) for n, name in enumerate(names, 1)]
    assert [row[2] for row in rows] == [name.lower().replace(" ", "-") for name in names]


@pytest.mark.parametrize("name", FIELDS)
def test_the_keys_are_those_of_the_configuration(name: str) -> None:
    """Every key is described, and every described key exists."""
    documented = set(re.findall(r"`args\.(\w+)", SECTIONS[name]))
    assert documented <= keys_of(name), f"not in the configuration: {documented - keys_of(name)}"
    untold = {key for key in keys_of(name) if not re.search(rf"`(args\.)?{key}\b", SECTIONS[name])}
    assert not untold, f"not described: {untold}"


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_the_code_uses_the_args_of_the_configuration(name: str) -> None:
    """A plugin's own model of its args is the configuration's."""
    kind = registry.BUILT_IN[name]
    args = args_of(name)
    assert issubclass(kind, Plugin)
    assert kind.__name__ == name
    assert kind.Args is (args or Section)


def test_every_code_exists() -> None:
    """Codes in the text are codes of the service."""
    codes = {int(code) for code in re.findall(r"\bcode (\d+)", TEXT)}
    assert codes
    assert codes <= set(HINTS)
    assert {Code.OTHER_PERSON, Code.VIRTUAL_CAMERA, Code.PLUGIN_FAILED} <= codes


def test_the_default_of_the_similarity_is_explained() -> None:
    """The text explains the current default."""
    similarity = Config().MIDDLEWARES.WS.FaceMatcher.args.similarity
    assert f"The default of {similarity:g} comes from measured pairs" in SECTIONS["FaceMatcher"]


def test_every_method_of_a_plugin_is_described() -> None:
    """The guide says when each one is called."""
    documented = set(re.findall(r"^\| `(on_\w+)` \|", GUIDE, re.MULTILINE))
    assert documented == {name for name in vars(Plugin) if name.startswith("on_")}


def test_the_logged_estimate_has_every_field() -> None:
    """The example of a line of FileLogger."""
    (example,) = re.findall(r"^```json\n(\{.*?\})\n```", SECTIONS["FileLogger"], re.M | re.S)
    assert list(json.loads(example)) == [field.name for field in dataclasses.fields(Estimate)]


def test_the_weights_are_those_of_the_code() -> None:
    """The table of evidence has the weights of the checker."""
    rows = re.findall(r"^\| (\w+) \| (0\.\d+) \|", SECTIONS["VirtualCameraChecker"], re.MULTILINE)
    assert {kind: float(weight) for kind, weight in rows} == virtual_camera.WEIGHTS


def test_the_probabilities_are_correct() -> None:
    """Sequences are ordered choices of distinct actions; attempts are one more than mistakes."""
    rows = re.findall(
        r"^\| ([\d, ]+) \| (\d+) \| (\d) in (\d+) \((\d) in (\d+)\) \|",
        SECTIONS[ActiveLiveness.__name__],
        re.MULTILINE,
    )
    documented = {
        int(count): (int(sequences), int(a) / int(b), int(c) / int(d))
        for counts, sequences, a, b, c, d in rows
        for count in counts.split(",")
    }
    for count in range(1, 6):
        sequences = len(list(permutations(Action, count)))
        assert documented[count] == (sequences, 2 / sequences, 1 / sequences)
