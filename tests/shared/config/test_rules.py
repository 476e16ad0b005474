"""Rules between keys: what passes and what gives a warning; tests/invalid/config has the errors."""

import base64
import secrets

import pytest

from shared.config.loading import load
from shared.config.rules import RULES, check
from shared.config.service import Config
from shared.config.toml import dump
from shared.errors import ConfigError

KEY = secrets.token_urlsafe(64)
PEM = f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(bytes(16)).decode()}\n-----END"
WS = "MIDDLEWARES.WS"
ACTIONS = f"{WS}.ActiveLiveness.args.interactionsCount"
BASIC_AUTH = "MIDDLEWARES.REQUEST.BasicAuth"
LUNA3 = f"{WS}.Luna3DescriptorQualityCheck"


def config(values, key=KEY):
    """Return a configuration with the given keys (dotted paths) and a good signing key."""
    tree = {}
    for path, value in {"LUNA_PASS.JWT.key": key, **values}.items():
        *sections, name = path.split(".")
        table = tree
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = value
    return Config.model_validate(tree)


def test_good_configuration_gives_no_warning():
    """With their own key the defaults pass in production."""
    assert check(config({})) == []


def test_the_file_with_all_defaults_gives_no_warning(tmp_path):
    """Only the key is changed in the file with all defaults."""
    file = tmp_path / "lunapassapi.config.toml"
    file.write_text(dump(Config(), reveal=True))
    assert check(load(file, {"LUNAPASS__LUNA_PASS__JWT__KEY": KEY})) == []


def test_held_bytes_must_fit_the_largest_frame():
    """One address may use half of heldBytes, so it is at least twice frameBytes."""
    assert check(config({"LIMITS.frameBytes": 1000, "LIMITS.heldBytes": 2000})) == []
    with pytest.raises(ConfigError, match="heldBytes is 1999, so a frame"):
        check(config({"LIMITS.frameBytes": 1000, "LIMITS.heldBytes": 1999}))


def test_a_key_without_effect_is_reported():
    """A file of an earlier version loads, with a warning that names the obsolete line."""
    warnings = check(config({"TRANSPORT.slabDirectory": "/dev/shm"}))
    assert [warning for warning in warnings if "slabDirectory has no effect" in warning]


def test_default_key_is_refused_in_production_and_reported_in_development():
    """The error says how to make a key."""
    with pytest.raises(ConfigError, match="lunapass config key"):
        check(Config())
    warnings = check(config({"LUNA_PASS.env": "development"}, key="secret"))
    assert any("lunapass config key" in warning for warning in warnings)


@pytest.mark.parametrize(("algorithm", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_shared_secret_is_as_long_as_the_digest(algorithm, least):
    """One byte less than the digest is refused (RFC 7518); the digest's length passes."""
    values = {"LUNA_PASS.JWT.algorithm": algorithm}
    assert check(config(values, key="k" * least)) == []
    with pytest.raises(ConfigError, match=f"{least - 1} bytes; allowed .* at least {least}"):
        check(config(values, key="k" * (least - 1)))


def test_secret_length_is_counted_in_bytes():
    assert check(config({}, key="é" * 16)) == []


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("key", [PEM, "file:/etc/lunapass/key.pem"])
def test_private_key(algorithm, key):
    """Public-key algorithms need a private key in PEM, or the file of one."""
    assert check(config({"LUNA_PASS.JWT.algorithm": algorithm}, key=key)) == []


def test_the_path_of_a_key_is_no_key(tmp_path):
    """Without ``file:`` the path itself would be the secret, which can be guessed."""
    file = tmp_path / "token-signing.key"
    file.touch()
    assert len(str(file)) >= 32
    with pytest.raises(ConfigError, match="write file: before it"):
        check(config({}, key=str(file)))
    assert check(config({}, key="/" + "k" * 40)) == []


@pytest.mark.parametrize(
    "url", ["https://", "http://:80/x", "http://h:99999/", "http://h:80a/", "http://h:0/", "h"]
)
def test_an_unusable_address_is_an_error(url):
    """It is reported at start-up, not at the first request."""
    values = {f"{WS}.Callbacks.isEnabled": 1, f"{WS}.Callbacks.args.url": url}
    with pytest.raises(ConfigError, match=r"args\.url must be an address"):
        check(config(values))


def test_no_finding_shows_the_key():
    """Errors about keys do not show them."""
    for algorithm in ("HS256", "RS256"):
        with pytest.raises(ConfigError) as caught:
            check(config({"LUNA_PASS.JWT.algorithm": algorithm}, key="hunter2"))
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"LUNA_PASS.env": "development"}, "[LUNA_PASS] env is development"),
        ({f"{BASIC_AUTH}.args.username": "a"}, "has args but is off"),
        (
            {
                f"{BASIC_AUTH}.isEnabled": 1,
                f"{BASIC_AUTH}.args.username": "a",
                f"{BASIC_AUTH}.args.password": "b",
            },
            "has no args.origin",
        ),
        (
            {f"{BASIC_AUTH}.isEnabled": 1, f"{BASIC_AUTH}.args.origin": "https://a.example:8443"},
            "args.origin alone",
        ),
        ({"LIVENESS.maxAttempts": 3, "LIVENESS.maxLivenessAttempts": 4}, "never reached"),
        (
            {f"{LUNA3}.isEnabled": 1, f"{LUNA3}.args.descriptorQualityThreshold": 0.5},
            "has no args.authToken",
        ),
        (
            {
                f"{WS}.ActiveLiveness.isEnabled": 1,
                f"{WS}.FaceMatcher.isEnabled": 1,
                ACTIONS: 3,
                f"{WS}.ActiveLiveness.args.totalTimeout": 14,
            },
            "args.totalTimeout (14 s) is shorter than",
        ),
        (
            {
                f"{WS}.ActiveLiveness.isEnabled": 1,
                f"{WS}.FaceMatcher.isEnabled": 1,
                ACTIONS: 3,
                "LIMITS.sessionSeconds": 59,
            },
            "args.totalTimeout (60 s) is longer than",
        ),
        (
            {f"{WS}.ActiveLiveness.isEnabled": 1, f"{WS}.FaceMatcher.isEnabled": 1},
            "is 2, so a recorded video passes by chance in one of 10 sessions",
        ),
        (
            {
                f"{WS}.ActiveLiveness.isEnabled": 1,
                f"{WS}.FaceMatcher.isEnabled": 1,
                ACTIONS: 1,
                f"{WS}.ActiveLiveness.args.wrongActionsAllowed": 10,
            },
            "by chance in one of 1 sessions",
        ),
        ({f"{WS}.ActiveLiveness.isEnabled": 1, ACTIONS: 3}, "without FaceMatcher"),
        (
            {
                f"{WS}.Callbacks.isEnabled": 1,
                f"{WS}.Callbacks.args.url": "https://shop.example/verdict",
            },
            "has no args.key",
        ),
    ],
)
def test_warning(values, text):
    """A probably unintended configuration gives one line that names the source."""
    (warning,) = check(config(values), "file.toml")
    assert warning.startswith("file.toml: [")
    assert text in warning


def test_an_empty_password_is_an_error():
    """With an empty user name and password, BasicAuth would check nothing."""
    values = {
        f"{BASIC_AUTH}.isEnabled": 1,
        f"{BASIC_AUTH}.args.username": "",
        f"{BASIC_AUTH}.args.password": "",
    }
    with pytest.raises(ConfigError, match="checks nothing"):
        check(config(values))


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"LIVENESS.THRESHOLDS.faceWidth": 191}, r"\[LIVENESS\.THRESHOLDS\] faceWidth is 191"),
        ({"LIVENESS.THRESHOLDS.faceHeight": 150}, r"\[LIVENESS\.THRESHOLDS\] faceHeight is 150"),
        ({"WORKERS.backend": "lunasdk"}, r"\[CHECKS\] moire is set, but the backend"),
    ],
)
def test_moire_must_be_measured_in_every_face_that_may_pass(values, key):
    """Otherwise a smaller face, or another backend, would pass the check unmeasured."""
    with pytest.raises(ConfigError, match=key):
        check(config({**values, "CHECKS.moire": 5.0}))
    assert check(config(values)) == []
    assert check(config({"CHECKS.moire": 5.0, "LIVENESS.THRESHOLDS.faceWidth": 192})) == []


@pytest.mark.parametrize("key", ["maxAttempts", "maxLivenessAttempts"])
def test_life_signs_must_get_its_frames(key):
    """With fewer attempts than it needs frames, no session could pass."""
    values = {f"{WS}.LifeSigns.isEnabled": 1, f"{WS}.FaceMatcher.isEnabled": 1}
    with pytest.raises(ConfigError, match=rf"framesCount is 8, more than .* {key} \(7\)"):
        check(config({**values, f"LIVENESS.{key}": 7}))
    assert check(config({**values, f"LIVENESS.{key}": 8})) == []


@pytest.mark.parametrize(
    "values",
    [
        {f"{WS}.AggregateLiveness.isEnabled": 1, "LIVENESS.maxAttempts": 3},
        {f"{WS}.Result.isEnabled": 0},
        {"LIMITS.frameWidth": 320, "CHECKS.frameWidth": 320},
        {"LIVENESS.THRESHOLDS.faceWidth": 492, "LIMITS.frameWidth": 512},
        {"LIMITS.framePixels": 320 * 240},
        {"WORKERS.backend": "my.package:Backend"},
        {"SUPERVISOR.respawnDelay": 10, "SUPERVISOR.respawnDelayMax": 10},
        {f"{WS}.ActiveLiveness.args.yawStartDeg": 19.9},
        {f"{WS}.VideoRedis.isEnabled": 1, f"{WS}.VideoRedis.args.connectionString": "rediss://r"},
    ],
)
def test_a_value_at_the_limit_passes(values):
    """Disabled plugins are not checked."""
    assert check(config(values)) == []


def test_all_broken_rules_are_reported():
    """Each violated rule has its own line, without the warnings."""
    values = {"LIVENESS.maxAttempts": 0, "WORKERS.backend": "x", "LUNA_PASS.env": "development"}
    with pytest.raises(ConfigError) as caught:
        check(config(values))
    assert len(str(caught.value).splitlines()) == 2


def test_rules_are_listed_once():
    assert len(set(RULES)) == len(RULES)


@pytest.mark.parametrize("key", ["sdkBindingsPath", "sdkDataPath", "sdkLicensePath"])
def test_paths_of_a_backend_that_is_not_used_are_named(key):
    """Administrators of LUNA PASS expect LUNA SDK to judge; only the lunasdk backend uses it."""
    paths = {f"FACEENGINE.{key}": "/opt/fsdk"}
    (line,) = check(config(paths))
    assert f"[FACEENGINE] sets {key}, but [WORKERS] backend is onnx" in line
    assert check(config({**paths, "WORKERS.backend": "lunasdk"})) == []
    assert check(config({"FACEENGINE.yawSign": -1})) == []
