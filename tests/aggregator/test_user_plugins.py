"""User plugins: how they are found, validated at start-up, and isolated from each other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jwt
import pytest

from aggregator.frame_memory import Claim, LocalFrames
from aggregator.plugins.base import Question
from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from lunapass import plugins
from shared.errors import ConfigError
from shared.wire.messages import Open
from tests.support.judge import KEY, SESSION, judging, live, plugin_config, shot

OPEN = Open("", SESSION, 1000.0, 7, bytes(32))
ROOT = Path(__file__).parents[2]
HERE = "tests.support.plugins"


def first_outcome(name: str, args: dict[str, Any] | None = None, **changes: Any) -> Outcome:
    config = plugin_config({name: args})
    session = JudgedSession(OPEN, Registry(config).plugins(), config.LIVENESS)
    outcome = session.fold(1, 1001.0, live(**changes), None, replay=False, shot=shot(1))
    assert isinstance(outcome, Outcome)
    return outcome


@pytest.mark.parametrize("where", ["init", "open", "estimate"])
def test_a_plugin_that_raises_fails_its_session(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The session gets code 71, final, and the log names the plugin."""
    outcome = first_outcome(f"{HERE}:Raising", {"where": where})
    assert (outcome.errors, outcome.final, outcome.accepted) == ((71,), True, False)
    happened = "could not be created" if where == "init" else "failed"
    assert f"plugin {HERE}:Raising {happened}" in caplog.text


def test_a_plugin_that_raises_at_the_end_does_not_change_the_verdict(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log names the plugin."""
    assert first_outcome(f"{HERE}:Raising", {"where": "close"}).accepted
    assert "Raising failed" in caplog.text


def test_no_plugin_can_remove_a_code_of_the_worker() -> None:
    """Removing codes is an error of the plugin, never a success."""
    outcome = first_outcome(f"{HERE}:Lenient", errors=(32,))
    assert (outcome.errors, outcome.final, outcome.accepted) == ((71,), True, False)


def test_a_session_that_a_plugin_ends_has_a_code() -> None:
    """STATUS and RESULT have code 71 if the plugin gives none."""
    outcome = first_outcome(f"{HERE}:Ending")
    assert (outcome.errors, outcome.final, outcome.accepted) == ((71,), True, False)


def test_no_plugin_can_remove_a_code_of_another_plugin() -> None:
    """The session gets code 71, final.

    A frame that AggregateLiveness still refuses stays refused.
    """
    config = plugin_config({"AggregateLiveness": None, f"{HERE}:Lenient": None})
    session = JudgedSession(OPEN, Registry(config).plugins(), config.LIVENESS)
    outcome = session.fold(1, 1001.0, live(), None, replay=False, shot=shot(1))
    assert isinstance(outcome, Outcome)
    assert (outcome.errors, outcome.final, outcome.accepted) == ((71,), True, False)


@pytest.mark.parametrize("state", [Claim.REUSED, Claim.ACCEPTED])
def test_no_plugin_can_accept_a_frame_of_another_session(state: Claim) -> None:
    """The session gets code 71, final, whatever the plugin does to the frame."""
    config = plugin_config({f"{HERE}:Lenient": None})
    memory = LocalFrames(config.LIMITS)
    estimate = live(pixels=bytes(16))
    memory.claim_now(bytes(16), "another session")
    if state is Claim.ACCEPTED:
        memory.accept(bytes(16), "another session")
    plugins = Registry(config).plugins()
    session = JudgedSession(OPEN, plugins, config.LIVENESS, memory=memory)
    step = session.fold(1, 1001.0, estimate, None, replay=False, shot=shot(1))
    while isinstance(step, Question):
        step = session.resolve(step.at_once())
    assert (step.errors, step.final, step.accepted) == ((71,), True, False)


@pytest.mark.parametrize("env", ["development", "production"])
@pytest.mark.parametrize(
    "what", ["set", "nan", "bytes", "key", "inner key", "nothing", "code", "-1"]
)
async def test_a_plugin_with_data_that_is_no_json_fails_its_session(
    tmp_path: Path, what: str, env: str
) -> None:
    """Data that cannot be encoded must not leave a session without a verdict. Its code is 71."""
    config = plugin_config(
        {f"{HERE}:Reporting": {"what": what}}, LUNA_PASS={"env": env, "JWT": {"key": KEY}}
    )
    async with judging(config, tmp_path) as gateway:
        await gateway.open()
        gateway.judge(1, live())
        verdict = await gateway.verdict()
    assert (verdict.final, verdict.accepted) == (True, False)
    assert json.loads(verdict.result or "")["body"] == {"isOk": False, "jwt": None, "errors": [71]}


@pytest.mark.parametrize("env", ["development", "production"])
async def test_numpy_values_may_be_reported(tmp_path: Path, env: str) -> None:
    """NumPy types derived from Python's numbers and texts appear in the status and in the token."""
    config = plugin_config(
        {f"{HERE}:Reporting": {"what": "numpy"}}, LUNA_PASS={"env": env, "JWT": {"key": KEY}}
    )
    async with judging(config, tmp_path) as gateway:
        await gateway.open()
        gateway.judge(1, live())
        verdict = await gateway.verdict()
    assert verdict.accepted
    token = json.loads(verdict.result or "")["body"]["jwt"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["details"]["bad"] == [0.5, "x"]


@pytest.mark.parametrize("what", ["set", "nan", "key", "nothing"])
async def test_end_data_that_is_no_json_is_dropped(tmp_path: Path, what: str) -> None:
    """The verdict stands."""
    config = plugin_config({f"{HERE}:Reporting": {"what": what, "at": "close"}})
    async with judging(config, tmp_path) as gateway:
        await gateway.open()
        gateway.judge(1, live())
        verdict = await gateway.verdict()
    assert verdict.accepted
    claims = jwt.decode(
        json.loads(verdict.result or "")["body"]["jwt"], options={"verify_signature": False}
    )
    assert "bad" not in claims["details"]


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("tests.support.absent:Plugin", {}, "ModuleNotFoundError"),
        (f"{HERE}:Absent", {}, "AttributeError"),
        (f"{HERE}:NoPlugin", {}, "not a subclass"),
        (f"{HERE}:Oracle", {"seconds": -1.0}, "args.seconds"),
        (f"{HERE}:Oracle", {"answer": []}, "args.answer"),
    ],
)
def test_an_invalid_plugin_is_an_error_at_start_up(
    name: str, args: dict[str, Any], expected: str
) -> None:
    """One line names the section and the problem."""
    with pytest.raises(ConfigError, match=r"\[MIDDLEWARES\.WS\.\"") as fault:
        Registry(plugin_config({name: args}))
    assert expected in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_plugin_that_is_off_is_not_imported() -> None:
    """Only enabled plugins are loaded."""
    table = {"tests.support.absent:Plugin": {"isEnabled": False}}
    config = plugin_config({}).model_validate({"MIDDLEWARES": {"WS": table}})
    assert Registry(config).plugins()


def test_one_module_exports_all_types_a_plugin_needs() -> None:
    """These are the types in the methods of ``Plugin``.

    The example imports no other of our modules.
    """
    modules = set(re.findall(r"^(?:from|import) (\S+)", worked_example(), re.M))
    assert modules == {"datetime", "pydantic", "lunapass.plugins"}
    methods = (getattr(member, "__func__", member) for member in vars(plugins.Plugin).values())
    notes = " ".join(str(getattr(method, "__annotations__", "")) for method in methods)
    own = {"SessionContext", "FrameJudgement", "Question", "Config", "Stated"}
    others = {"Any", "Callable", "None", "Self"}
    assert set(re.findall(r"\b[A-Z]\w+", notes)) == own | others
    assert own < set(plugins.__all__)


WHEEL = {
    "METADATA": "Metadata-Version: 2.1\nName: door-rules\nVersion: 1.0\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "entry_points.txt": "[lunapass.plugins]\nopening-hours = door_rules:OpeningHours\n",
    "RECORD": "",
}


def make_wheel(folder: Path) -> Path:
    """Build a package with the worked example of docs/plugin-development.md."""
    wheel = folder / "door_rules-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("door_rules.py", worked_example())
        for name, text in WHEEL.items():
            archive.writestr(f"door_rules-1.0.dist-info/{name}", text)
    return wheel


def test_an_installed_plugin_is_found_by_its_entry_point(tmp_path: Path) -> None:
    """The worked example is installed as a package."""
    target, config = tmp_path / "target", tmp_path / "config.toml"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", str(target), str(make_wheel(tmp_path))], check=True)

    def judge(hours: str) -> subprocess.CompletedProcess[str]:
        plugin = f"[MIDDLEWARES.WS.opening-hours]\nisEnabled=1\nargs.hours={hours}\n"
        config.write_text(f'[LUNA_PASS]\nenv="development"\n{plugin}')
        return subprocess.run(
            [sys.executable, "-c", JUDGE_ONE_FRAME, str(config)],
            env={"PYTHONPATH": f"{target}:{ROOT}", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert judge("[0, 24]").stdout.split() == ["True"]
    assert judge("[0, 0]").stdout.split() == ["False", "1001"]
    assert "args.hours" in judge('["all day", 1]').stderr


JUDGE_ONE_FRAME = """
import sys
import zipfile
from pathlib import Path
from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession
from shared.config.loading import load
from shared.wire.messages import Open
from tests.support.judge import live, shot

config = load(Path(sys.argv[1]))
opened = Open("", "0" * 32, 0.0, 7, bytes(32))
session = JudgedSession(opened, Registry(config).plugins(), config.LIVENESS)
outcome = session.fold(1, 0.0, live(), None, replay=False, shot=shot(1))
print(outcome.accepted, *outcome.errors)
"""


def worked_example() -> str:
    """Return the code of the worked example in docs/plugin-development.md."""
    text = (ROOT / "docs" / "plugin-development.md").read_text()
    blocks = text.split("```python\n")[1:]
    return next(b.split("```")[0] for b in blocks if "class OpeningHours" in b)
