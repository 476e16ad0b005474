"""``lunapass config``, and the files that it generates."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from lunapass.commands.config import command
from lunapass.commands.run import command as run_command
from lunapass.commands.worker import command as worker_command
from shared.config.loading import load
from shared.config.policy import weaknesses
from shared.config.recommended import PLUGINS
from shared.config.rules import check
from shared.config.service import Config
from shared.errors import ConfigError
from shared.signing import KEY_BYTES

ROOT = Path(__file__).parents[2]
FILE = ROOT / "config" / "lunapassapi.config.toml"
BACKEND = '[WORKERS]\nbackend = "tests.support.stamp:StampBackend"\n'
"""A backend that needs no models."""


def run(*arguments, env=None):
    """Run a subcommand; raise the exception of a refusal."""
    return CliRunner().invoke(command, [*map(str, arguments)], env=env, catch_exceptions=False)


def shell(*arguments):
    """Run the installed command as a user does."""
    return subprocess.run(
        [Path(sys.executable).with_name("lunapass"), "config", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if "LUNAPASS" not in name},
    )


def test_committed_file_has_the_defaults_of_the_schema():
    """The file in config/ has every key with its default, as the command writes it."""
    assert run("show", "--defaults").stdout == FILE.read_text()
    assert load(FILE, {}) == Config()


def test_recommended_file_loads_with_only_the_warning_of_the_key(tmp_path):
    """It turns the recommended plugins on, says so in its comment, and changes nothing else."""
    file = tmp_path / "recommended.toml"
    file.write_text(run("show", "--recommended").stdout)
    config = load(file, {"LUNAPASS__LUNA_PASS__JWT__KEY": "k" * 64})
    assert check(config) == []
    assert list(weaknesses(config)) == []
    changed = config.model_dump()["MIDDLEWARES"]["WS"]
    usual = Config().model_dump()["MIDDLEWARES"]["WS"]
    on = {name for name in changed if changed[name]["isEnabled"] and not usual[name]["isEnabled"]}
    assert on == set(PLUGINS)
    for name in on:
        changed[name]["isEnabled"] = False
    assert changed == usual


def test_recommended_plugins_are_added_to_a_file(tmp_path):
    """The file's own values stay, and its key stays hidden."""
    file = tmp_path / "lunapass.toml"
    file.write_text('[LUNA_PASS.JWT]\nkey = "%s"\n[LIVENESS.THRESHOLDS]\nyaw = 15\n' % ("k" * 64))
    shown = run("show", "--recommended", "--config", file).stdout
    assert "[MIDDLEWARES.WS.LifeSigns]\nisEnabled = 1" in shown
    assert "yaw = 15" in shown
    assert "kkkk" not in shown


def test_secrets_in_addresses_stay_hidden(tmp_path):
    """User, password and all values of the query: some are passwords, such as the sentinels'."""
    file = tmp_path / "lunapass.toml"
    file.write_text(
        'SESSION_STORE.connectionString = "redis+sentinel://u:hidden@h/m?sentinel_password=hidden"\n'
        '[MIDDLEWARES.WS.Callbacks]\nargs.url = "https://h/path?token=hidden&b=hidden&hidden"\n'
        '[MIDDLEWARES.WS.VideoRedis]\nargs.connectionString = "redis://h?password=hidden"\n'
    )
    shown = run("show", "--config", file).stdout
    assert "hidden" not in shown
    assert "redis+sentinel://***@h/m?sentinel_password=***" in shown
    assert "https://h/path?token=***&b=***&***" in shown


@pytest.mark.parametrize("option", ["--cells=0", "--cells=-3", "--cells=65"])
def test_an_impossible_number_of_cells_is_refused(option):
    """Every command with this option refuses it."""
    for program in (run_command, worker_command):
        result = CliRunner().invoke(program, [option])
        assert result.exit_code == 2
        assert "is not in the range" in result.output


def test_committed_reference_is_up_to_date():
    """docs/configuration.md is what the command writes; update it by ``make docs-config``."""
    assert run("docs").stdout == (ROOT / "docs" / "configuration.md").read_text()


def test_check_accepts(tmp_path):
    """A valid file and its policy are printed to stdout, its warnings to stderr."""
    path = tmp_path / "good.toml"
    path.write_text(f'env = "development"\n{BACKEND}')
    result = run("check", path)
    valid, policy = result.stdout.splitlines()
    assert valid == f"{path}: valid"
    assert policy.startswith("Accepts one passing frame out of ")
    assert all(line.startswith("warning: ") for line in result.stderr.splitlines())
    assert len(result.stderr.splitlines()) == 3
    assert "one lucky frame decides" in result.stderr


def test_check_refuses_invalid_environment_variables(tmp_path):
    """Variables are checked together with the file."""
    path = tmp_path / "good.toml"
    path.write_text('env = "development"\n')
    with pytest.raises(ConfigError, match="LUNAPASS__PORT"):
        run("check", path, env={"LUNAPASS__PORT": "-1"})


def test_check_without_file_checks_the_default_one(tmp_path, monkeypatch):
    """It is the file that a start would use: here the committed one, with its default key."""
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError, match=r"^config/lunapassapi\.config\.toml: .*default 'secret'"):
        run("check")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^defaults: "):
        run("check")


def test_refusal_is_status_2_without_traceback(tmp_path):
    """The installed command ends with status 2 and one line for each error."""
    path = tmp_path / "bad.toml"
    path.write_text("[LIVENESS.THRESHOLDS]\njaw = 1\nyaw = -1\n")
    result = shell("check", str(path))
    assert result.returncode == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 2
    assert "Traceback" not in result.stderr


def test_check_loads_the_plugins_of_the_user(tmp_path):
    """A plugin that cannot be imported or rejects its arguments is an error before any start."""
    file = tmp_path / "file.toml"
    table = '[LUNA_PASS]\nenv = "development"\n[MIDDLEWARES.WS."{}"]\nisEnabled = 1\n{}\n' + BACKEND
    file.write_text(table.format("nowhere.at_all:Plugin", ""))
    with pytest.raises(ConfigError, match=r"nowhere\.at_all:Plugin"):
        run("check", file)
    file.write_text(table.format("tests.support.plugins:Oracle", "args.seconds = -1"))
    with pytest.raises(ConfigError, match=r"args\.seconds"):
        run("check", file)
    file.write_text(table.format("tests.support.plugins:Oracle", "args.seconds = 1"))
    assert run("check", file).exit_code == 0


@pytest.mark.parametrize("form", ["toml", "json"])
def test_show_hides_secrets(tmp_path, form):
    """The settings in force are shown without secrets, including passwords in addresses."""
    path = tmp_path / "any.toml"
    path.write_text(
        '[LUNA_PASS]\nport = 4711\nJWT.key = "hunter2"\n'
        '[MIDDLEWARES.WS.VideoRedis]\nargs.connectionString = "redis://:hunter2@localhost"\n'
    )
    result = run("show", "--config", path, "--format", form)
    assert "4711" in result.stdout
    assert "hunter2" not in result.stdout


def test_show_as_json_is_json():
    shown = json.loads(run("show", "--defaults", "--format", "json").stdout)
    assert shown["LIVENESS"]["THRESHOLDS"]["yaw"] == 20


def test_show_refuses_defaults_of_a_file():
    """Defaults and a file cannot be shown together."""
    result = run("show", "--defaults", "--config", FILE)
    assert result.exit_code == 2
    assert "cannot be used together" in result.stderr


def test_policy_is_the_claim_of_the_tokens(tmp_path):
    """It is JSON, with the digest to pin; it needs no key, and a lax file has another digest."""
    file = tmp_path / "file.toml"
    rules = "[LIVENESS.THRESHOLDS]\nyaw = 90\n"
    plugin = "[MIDDLEWARES.WS.Bestshot]\nisEnabled = 1\n"
    digests = set()
    for addition in ("", rules, plugin):
        file.write_text(BACKEND + addition)
        claim = json.loads(run("policy", file).stdout)
        assert set(claim) == {"digest", "rules", "models", "plugins", "limits", "version"}
        digests.add(claim["digest"])
    assert len(digests) == 3


def test_key_is_new_and_long_enough():
    """Each key is different and passes the rules for every HS algorithm."""
    keys = {run("key").stdout.strip() for _ in range(3)}
    assert len(keys) == 3
    for key in keys:
        for algorithm in KEY_BYTES:
            jwt = {"algorithm": algorithm, "key": key}
            assert check(Config.model_validate({"LUNA_PASS": {"JWT": jwt}})) == []
