"""Loading: file, environment, and errors of one line each."""

import datetime
import string
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.loading import load
from shared.config.rules import check
from shared.config.schema import keys, section_at
from shared.config.service import Config
from shared.config.toml import dump, field_text, value_text
from shared.errors import ConfigError
from tests.support.config_strategies import configurations

INVALID = Path(__file__).parents[2] / "invalid" / "config"
SECRET = "hunter2"


def load_text(tmp_path, text, **environment):
    path = tmp_path / "test.toml"
    path.write_text(text)
    return load(path, environment)


@pytest.mark.parametrize("path", sorted(INVALID.glob("*.toml")), ids=lambda path: path.stem)
def test_invalid_file(path):
    """Each invalid file gives exactly the lines in its .txt file, and they show no secret."""
    with pytest.raises(ConfigError) as caught:
        check(load(path, {}), str(path))
    expected = path.with_suffix(".txt").read_text()
    assert str(caught.value).replace(f"{path}:", "FILE:") + "\n" == expected
    assert SECRET not in expected


def test_no_file_gives_defaults(tmp_path, monkeypatch):
    """Without a file and variables, the defaults of the schema apply."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    assert load(None, {}) == Config()


def test_models_of_the_installation(tmp_path, monkeypatch):
    """They are used if the configuration names no folder and the working directory has none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "program/venv"))
    installed = tmp_path / "program/models"
    installed.mkdir(parents=True)
    assert load(None, {}).MODELS.directory == str(installed)
    assert load_text(tmp_path, "MODELS.glasses = 0").MODELS.directory == str(installed)
    assert load_text(tmp_path, 'MODELS.directory = "models"').MODELS.directory == "models"
    (tmp_path / "models").mkdir()
    assert load(None, {}).MODELS.directory == "models"


def test_the_default_file_is_found(tmp_path, monkeypatch):
    """A file named by the variable takes precedence."""
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/lunapassapi.config.toml").write_text("port = 1")
    Path("other.toml").write_text("port = 2")
    assert load(None, {}).LUNA_PASS.port == 1
    assert load(None, {"LUNAPASS_CONFIG": "other.toml"}).LUNA_PASS.port == 2
    assert load(Path("other.toml"), {"LUNAPASS_CONFIG": "missing"}).LUNA_PASS.port == 2


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_unreadable_file(tmp_path, name):
    """An unreadable file is an error; the defaults are not used."""
    path = tmp_path / name
    with pytest.raises(ConfigError, match=r"cannot be read: (No such file|Is a directory)"):
        load(path, {})


def test_four_keys_at_the_top(tmp_path):
    """``env``, ``host``, ``port`` and ``logLevel`` are allowed at the top level."""
    text = 'env = "development"\nhost = "::1"\nport = 80\nlogLevel = 2\n'
    assert load_text(tmp_path, text) == load_text(tmp_path, f"[LUNA_PASS]\n{text}")


def test_environment_overrides_the_file(tmp_path):
    """A variable takes precedence over the file; the file's other keys stay."""
    text = "[LIVENESS.THRESHOLDS]\nyaw = 30\npitch = 31\n"
    config = load_text(tmp_path, text, LUNAPASS__LIVENESS__THRESHOLDS__YAW="15")
    assert (config.LIVENESS.THRESHOLDS.yaw, config.LIVENESS.THRESHOLDS.pitch) == (15, 31)


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("LUNAPASS__port", "80", "LUNA_PASS.port", 80),
        ("LUNAPASS__LUNA_PASS__ENV", "development", "LUNA_PASS.env", "development"),
        ("LUNAPASS__FACEENGINE__sdkdatapath", "1", "FACEENGINE.sdkDataPath", "1"),
        ("LUNAPASS__FACEENGINE__SDKDATAPATH", '"a b"', "FACEENGINE.sdkDataPath", "a b"),
        ("LUNAPASS__FACEENGINE__SDKDATAPATH", "1\nx = 2", "FACEENGINE.sdkDataPath", "1\nx = 2"),
        ("LUNAPASS__FACEENGINE__SDKDATAPATH", "", "FACEENGINE.sdkDataPath", ""),
        ("LUNAPASS__WORKERS__CPUS", "[0, 1]", "WORKERS.cpus", [0, 1]),
        (
            "LUNAPASS__MIDDLEWARES__WS__FILELOGGER__ISENABLED",
            "true",
            "MIDDLEWARES.WS.FileLogger.isEnabled",
            True,
        ),
    ],
)
def test_environment_value(tmp_path, variable, text, path, value):
    """Names are case-insensitive; values are TOML or else text."""
    config = load_text(tmp_path, "", **{variable: text})
    for name in path.split("."):
        config = getattr(config, name)
    assert config == value


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("LUNAPASS__LIVENESS__THRESHOLDS__YAW", "300", "yaw is 300; allowed: a number from 0 to"),
        ("LUNAPASS__LIVENESS__THRESHOLDS__JAW", "3", r"no key JAW \(did you mean yaw\?\)"),
        ("LUNAPASS__LIVENES__YAW", "3", r"no section or key LIVENES \(did you mean LIVENESS\?\)"),
        ("LUNAPASS__LIVENESS", "3", r"\[LIVENESS\] is a section; allowed: a key"),
        ("LUNAPASS__LIVENESS__MAXATTEMPTS__X", "3", "LIVENESS.maxAttempts is a key, not a sect"),
        ("LUNAPASS__MIDDLEWARES__WS__a:B__ISENABLED", "1", r"\[MIDDLEWARES.WS\] has no key"),
        ("LUNAPASS__", "1", "there is no section or key"),
        ("LUNAPASS__LUNA_PASS__HOST", "a\udce9", "not UTF-8"),
    ],
)
def test_environment_error(tmp_path, variable, value, expected):
    """An error of a variable names the variable."""
    with pytest.raises(ConfigError, match=rf"^environment variable {variable}: .*{expected}"):
        load_text(tmp_path, "", **{variable: value})


def test_environment_never_shows_secrets(tmp_path):
    """Neither a wrong name nor a wrong type shows the value of a secret."""
    names = ("LUNA_PASS__JWT__KYE", "MIDDLEWARES__WS__CALLBACKS__ARGS__TIMEOUT__KEY")
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, "", **{f"LUNAPASS__{name}": SECRET for name in names})
    assert SECRET not in str(caught.value)


def test_one_key_by_two_variables(tmp_path):
    """Two spellings of one key are refused, because their order would matter."""
    variables = {"LUNAPASS__PORT": "1", "LUNAPASS__LUNA_PASS__port": "1"}
    with pytest.raises(ConfigError, match="LUNAPASS__PORT: sets the same key as LUNAPASS__LUNA_"):
        load_text(tmp_path, "", **variables)


def test_all_errors_are_reported(tmp_path):
    """Each error of file and environment has its own line."""
    text = "jaw = 1\n[LIVENESS]\nmaxAttempts = -2\n[LIVENESS.THRESHOLDS]\nyaw = 15\n"
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, text, LUNAPASS__LIVENESS__THRESHOLDS__YAW="-1", LUNAPASS__X="1")
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert sum(line.startswith("environment variable") for line in lines) == 2


def test_environment_over_a_broken_file(tmp_path):
    """A plain value in place of a table is an error of the file."""
    with pytest.raises(ConfigError, match=r"test\.toml: \[LIVENESS\] is a whole number"):
        load_text(tmp_path, "LIVENESS = 3", LUNAPASS__LIVENESS__THRESHOLDS__YAW="15")
    with pytest.raises(ConfigError, match=r"test\.toml: \[LUNA_PASS\] is a whole number"):
        load_text(tmp_path, "LUNA_PASS = 3\nport = 1")


@given(values=configurations())
def test_a_dump_survives_a_round_trip(tmp_path_factory, values):
    """Everything that the schema accepts is written as TOML and read back unchanged."""
    config = Config.model_validate(values)
    path = tmp_path_factory.mktemp("config") / "any.toml"
    for comments in (True, False):
        path.write_text(dump(config, reveal=True, comments=comments))
        assert load(path, {}) == config


@given(values=configurations())
def test_dump_hides_secrets(values):
    """Without ``reveal``, no secret and no text of a user plugin is written."""
    marked = "s3cr3t-\u2603"
    middlewares = values.setdefault("MIDDLEWARES", {})
    plugins = middlewares.setdefault("WS", {})
    plugins["my.own:Plugin"] = {"args": {"a": [{"b": marked}]}}
    plugins["VideoRedis"] = {"args": {"connectionString": f"redis://me:{marked}/{marked}@host/0"}}
    plugins["Callbacks"] = {"args": {"key": marked}}
    values["LUNA_PASS"] = {"JWT": {"key": marked}}
    assert marked not in dump(Config.model_validate(values))


def test_dump_writes_the_defaults_readably():
    """Degrees and switches are written as in LUNA PASS; a key without default is a comment."""
    text = dump(Config(), reveal=True)
    for line in ("yaw = 20", "isEnabled = 0", "# args.username =", 'args.path = "./LOGS"'):
        assert f"\n{line}\n" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    "value",
    [
        True,
        -3,
        16**5000,
        1e300,
        -0.5,
        'a"\\\n\x7f\x00é😀',
        [1, [2.5, "x"]],
        {"a b": {}, "": {"c": [{"d": False}]}},
        datetime.date(2024, 2, 29),
        datetime.time(1, 2, 3, 4),
        datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=datetime.UTC),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_text(value):
    """Every kind of TOML value is read back as written."""
    assert tomllib.loads(f"x = {value_text(value)}") == {"x": value}


def test_value_text_refuses_values_that_toml_does_not_have():
    with pytest.raises(TypeError, match="TOML has no set"):
        value_text({1})


NAMES = [name for path, _ in keys() for name in path] + ["a.b:C", "x", ""]
SCALARS = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.text(string.printable, max_size=8)
    | st.datetimes()
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def broken_configurations(draw):
    """Trees similar to configurations: known paths with any values, and any extra keys."""
    tree = draw(st.dictionaries(st.sampled_from(NAMES), TREES, max_size=3))
    for path, _ in draw(st.lists(st.sampled_from(list(keys())), max_size=6)):
        table = tree
        for name in path[:-1]:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                break
        else:
            table[path[-1]] = draw(TREES)
    return tree


def loads_or_refuses(path):
    try:
        outcome = load(path, {})
    except ConfigError as error:
        outcome = error
    lines = str(outcome).split("\n")
    assert isinstance(outcome, Config) or all(line.startswith(f"{path}: ") for line in lines)


@given(tree=broken_configurations())
def test_any_tree_loads_or_is_refused(tmp_path_factory, tree):
    """Any TOML gives a configuration or a ConfigError."""
    path = tmp_path_factory.mktemp("config") / "fuzz.toml"
    path.write_text("".join(f"{value_text(k)} = {value_text(v)}\n" for k, v in tree.items()))
    loads_or_refuses(path)


@given(text=st.binary(max_size=60) | st.text("[]{}=\"'\n.#_0x1eabLIVENS ", max_size=60))
def test_any_bytes_load_or_are_refused(tmp_path_factory, text):
    """Any file gives a configuration or a ConfigError."""
    path = tmp_path_factory.mktemp("config") / "fuzz.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    loads_or_refuses(path)


def test_field_text_of_every_default_is_toml():
    """The reference shows defaults as in the file."""
    for path, field in keys():
        assert section_at(path[:-1]) is not None
        if field.default is not None:
            tomllib.loads(f"x = {field_text(field.default, field)}")


def test_a_null_character_is_refused(tmp_path: Path) -> None:
    """No path or address can have one; the system's error would be a traceback."""
    path = tmp_path / "config.toml"
    path.write_text('[KIOSK]\ndirectory = "page\\u0000"\n')
    with pytest.raises(ConfigError, match=r"\[KIOSK\] directory is"):
        load(path, {})
