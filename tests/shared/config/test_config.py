"""The schema: names and defaults of LUNA PASS 1.x, and the allowed values of each key."""

import pytest
from pydantic import ValidationError

from shared.config.schema import allowed, description_at, field_at, keys, place
from shared.config.service import Config

THRESHOLDS = "LIVENESS.THRESHOLDS"
PLUGINS = "MIDDLEWARES.WS"
LUNA3 = f"{PLUGINS}.Luna3DescriptorQualityCheck"
ACTIVE = f"{PLUGINS}.ActiveLiveness"
VIDEO = f"{PLUGINS}.VideoRedis"
BASIC_AUTH = "MIDDLEWARES.REQUEST.BasicAuth"

MANUAL = [
    ("LUNA_PASS", "env", "production"),
    ("LUNA_PASS", "host", "0.0.0.0"),
    ("LUNA_PASS", "port", 8321),
    ("LUNA_PASS", "logLevel", 1),
    ("FACEENGINE", "sdkBindingsPath", "/fsdk/pythonBindings/build"),
    ("FACEENGINE", "sdkDataPath", "/fsdk/data"),
    ("FACEENGINE", "sdkLicensePath", "/fsdk/data/license.conf"),
    ("LUNA_PASS.JWT", "algorithm", "HS256"),
    ("LUNA_PASS.JWT", "key", "secret"),
    ("LIVENESS", "maxAttempts", -1),
    ("LIVENESS", "maxLivenessAttempts", -1),
    (THRESHOLDS, "blur", 0.61),
    (THRESHOLDS, "light", 0.57),
    (THRESHOLDS, "dark", 0.5),
    (THRESHOLDS, "illumination", 0.1),
    (THRESHOLDS, "specularity", 0.1),
    (THRESHOLDS, "ags", 0.8),
    (THRESHOLDS, "frameMargin", 10),
    (THRESHOLDS, "faceWidth", 200),
    (THRESHOLDS, "faceHeight", 200),
    (THRESHOLDS, "yaw", 20),
    (THRESHOLDS, "pitch", 20),
    (THRESHOLDS, "roll", 20),
    (THRESHOLDS, "mouth", 0.4),
    (THRESHOLDS, "glasses", ["no_glasses", "eyeglasses"]),
    (THRESHOLDS, "livenessScore", 0.5),
    (THRESHOLDS, "livenessQualityScore", 0.5),
    (THRESHOLDS, "multifacePolicy", 0),
    (BASIC_AUTH, "isEnabled", 0),
    (BASIC_AUTH, "args.username", None),
    (BASIC_AUTH, "args.password", None),
    (BASIC_AUTH, "args.origin", None),
    (f"{PLUGINS}.FileLogger", "isEnabled", 0),
    (f"{PLUGINS}.FileLogger", "args.path", "./LOGS"),
    (f"{PLUGINS}.Bestshot", "isEnabled", 0),
    (LUNA3, "isEnabled", 0),
    (LUNA3, "args.connectionString", "http://127.0.0.1:5000"),
    (LUNA3, "args.authToken", None),
    (LUNA3, "args.descriptorQualityThreshold", None),
    (f"{PLUGINS}.AggregateLiveness", "isEnabled", 0),
    (f"{PLUGINS}.AggregateLiveness", "args.framesCount", 3),
    (ACTIVE, "isEnabled", 0),
    (ACTIVE, "args.cooldownFramesCount", 0),
    (ACTIVE, "args.interactionsCount", 2),
    (ACTIVE, "args.acceptOneEyed", 0),
    (ACTIVE, "args.yawStartDeg", 10),
    (ACTIVE, "args.yawThresholdDeg", 20),
    (ACTIVE, "args.pitchStartDeg", 10),
    (ACTIVE, "args.pitchThresholdDeg", 20),
    (f"{PLUGINS}.Result", "isEnabled", 1),
    (VIDEO, "isEnabled", 0),
    (VIDEO, "args.connectionString", "redis://127.0.0.1:6379"),
    (VIDEO, "args.queueName", "default"),
    (VIDEO, "args.resultTtl", "500s"),
    (VIDEO, "args.failureTtl", "1y"),
    (VIDEO, "args.sessionTimeout", 300),
    (VIDEO, "args.workerTask", "task.run"),
    (VIDEO, "args.framesLimit", 0),
]


def walk(value, path):
    for name in path:
        value = getattr(value, name)
    return value


@pytest.mark.parametrize(("section", "key", "default"), MANUAL)
def test_key_and_default_of_luna_pass(section, key, default):
    """Each row of the documentation's table exists with exactly its name and default."""
    value = walk(Config(), [*section.split("."), *key.split(".")])
    assert getattr(value, "get_secret_value", lambda: value)() == default


def test_keys_have_the_order_of_luna_pass():
    """The keys of a section are in the documentation's order."""
    rows = {(section, key): index for index, (section, key, _) in enumerate(MANUAL)}
    for section in {section for section, _, _ in MANUAL}:
        ours = [place(path) for path, _ in keys() if place(path) in rows]
        order = [rows[row] for row in ours if row[0] == section]
        assert order == sorted(order)


def test_every_key_and_section_has_a_docstring():
    """The reference needs them."""
    for path, _ in keys():
        assert all(description_at(path[:end]) for end in range(1, len(path) + 1)), path


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("LUNA_PASS.port", "a whole number from 0 to 65535"),
        ("LUNA_PASS.logLevel", "one of 0, 1, 2"),
        ("LIVENESS.maxAttempts", "a whole number, at least -1"),
        ("WORKERS.jobTimeout", "a number above 0"),
        ("WORKERS.cpus", "a list, each item a whole number, at least 0"),
        (
            "LIVENESS.THRESHOLDS.glasses",
            "a non-empty list, each item one of no_glasses, eyeglasses, sunglasses",
        ),
        ("MIDDLEWARES.WS.Result.isEnabled", "0 or 1 (or false, true)"),
        ("MIDDLEWARES.REQUEST.BasicAuth.args.password", "text"),
        (f"{LUNA3}.args.descriptorQualityThreshold", "a number from 0 to 1"),
        (f"{VIDEO}.args.resultTtl", "text like 500s, 12h, 1y"),
        ("MIDDLEWARES.WS.door.args", "a table"),
        ("LUNA_PASS.JWT", "a section with algorithm, key, publishedKeys, issuer, lifetime"),
    ],
)
def test_allowed(path, words):
    """The allowed values are described from the key's type."""
    assert allowed(field_at(tuple(path.split(".")))) == words


@pytest.mark.parametrize("value", [0, 1, False, True])
def test_a_switch_accepts_numbers_and_booleans(value):
    """``isEnabled`` accepts 0/1 and true/false."""
    config = Config.model_validate({"MIDDLEWARES": {"WS": {"Bestshot": {"isEnabled": value}}}})
    assert config.MIDDLEWARES.WS.Bestshot.isEnabled is bool(value)


@pytest.mark.parametrize("value", [2, -1, 1.0, "1", "true", None, []])
def test_a_switch_accepts_nothing_else(value):
    with pytest.raises(ValidationError):
        Config.model_validate({"MIDDLEWARES": {"WS": {"Bestshot": {"isEnabled": value}}}})


def test_glasses_accept_both_spellings():
    """Glasses may be spelled as in 1.x or as in 2.x."""
    names = ["GlassesEstimation.NoGlasses", "GlassesEstimation.EyeGlasses", "sunglasses"]
    config = Config.model_validate({"LIVENESS": {"THRESHOLDS": {"glasses": names}}})
    assert config.LIVENESS.THRESHOLDS.glasses == ["no_glasses", "eyeglasses", "sunglasses"]


def test_user_plugins_keep_their_order_and_arguments():
    """A name of the form package.module:Class is a user plugin."""
    plugins = {"z.a:B": {"isEnabled": 1, "args": {"door": [1, "two"]}}, "a:B": {}}
    config = Config.model_validate({"MIDDLEWARES": {"WS": plugins}})
    assert list(config.MIDDLEWARES.WS.user_plugins) == ["z.a:B", "a:B"]
    assert config.MIDDLEWARES.WS.user_plugins["z.a:B"].args == {"door": [1, "two"]}


def test_unknown_plugin_is_reported_with_other_errors():
    """A misspelled plugin does not hide other errors."""
    plugins = {"BestShot": {}, "FileLogger": {"isEnabled": 3}}
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"MIDDLEWARES": {"WS": plugins}})
    assert {line["loc"][2] for line in caught.value.errors()} == {"BestShot", "FileLogger"}


def test_sections_cannot_be_changed():
    """A running service's configuration is immutable."""
    with pytest.raises(ValidationError):
        Config().LUNA_PASS.port = 1
