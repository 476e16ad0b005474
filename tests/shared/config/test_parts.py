"""Parts of the configuration: each secret goes to the role that needs it, and to no other."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.config.cells import of_cell
from shared.config.generation import Generation, with_transport_keys
from shared.config.key_files import resolve_key_files
from shared.config.parts import Part, pack, unpack
from shared.config.schema import is_confidential, is_text, keys
from shared.config.service import Config
from shared.errors import ConfigError
from shared.signing import Signer, derived_key
from shared.wire.curve import own_pair, public_key
from shared.wire.lines import ROLES
from tests.support.config_strategies import configurations

SECRETS: dict[str, tuple[tuple[str, ...], str]] = {
    "signing-key-0123456789abcdef0123456789abcdef0123456789abcdef0123456789": (
        ("LUNA_PASS", "JWT", "key"),
        "aggregator",
    ),
    "password-of-pages": (
        ("MIDDLEWARES", "REQUEST", "BasicAuth", "args", "password"),
        "gateway",
    ),
    "key-of-start-tokens": (
        ("MIDDLEWARES", "REQUEST", "StartToken", "args", "key"),
        "gateway",
    ),
    "https://bank/jwks?secret": (
        ("MIDDLEWARES", "REQUEST", "StartToken", "args", "jwksUrl"),
        "gateway",
    ),
    "key-of-results-for-the-server": (
        ("MIDDLEWARES", "REQUEST", "ServerResult", "args", "key"),
        "gateway",
    ),
    "token-of-the-metrics": (("METRICS", "token"), "gateway"),
    "http://luna:password@platform": (
        ("MIDDLEWARES", "WS", "Luna3DescriptorQualityCheck", "args", "connectionString"),
        "aggregator",
    ),
    "token-of-luna": (
        ("MIDDLEWARES", "WS", "Luna3DescriptorQualityCheck", "args", "authToken"),
        "aggregator",
    ),
    "redis://:password-of-frames@redis": (
        ("MIDDLEWARES", "WS", "VideoRedis", "args", "connectionString"),
        "aggregator",
    ),
    "https://receiver/secret-path": (
        ("MIDDLEWARES", "WS", "Callbacks", "args", "url"),
        "aggregator",
    ),
    "key-of-callbacks": (("MIDDLEWARES", "WS", "Callbacks", "args", "key"), "aggregator"),
    "secret-of-a-plugin": (
        ("MIDDLEWARES", "WS", "package.module:Plugin", "args", "token"),
        "aggregator",
    ),
    "redis://:password-of-sessions@redis": (
        ("SESSION_STORE", "connectionString"),
        "gateway, aggregator",
    ),
    "http://traces:password@collector": (("TRACES", "endpoint"), "gateway"),
    **{
        f"transport-key-of-{role}": (("TRANSPORT", "KEYS", f"{role}Secret"), role) for role in ROLES
    },
}
"""Each secret, its key, and the roles that need it."""
MAY_HOLD_A_SECRET = re.compile("key$|secret|password|token|connectionstring|url|endpoint$", re.I)


def full() -> Config:
    """A configuration with a distinct value at every confidential key."""
    table: dict[str, Any] = {}
    for value, (path, _) in SECRETS.items():
        section = table
        for name in path[:-1]:
            section = section.setdefault(name, {})
        section[path[-1]] = value
    return Config.model_validate(table)


def test_each_role_gets_only_its_own_secrets() -> None:
    """The packed part of a role has exactly the secrets listed for it above."""
    generation = Generation(full())
    for role in ROLES:
        text = pack(generation.part(role)).decode()
        held = {secret for secret in SECRETS if secret in text}
        assert held == {
            secret for secret, (_, roles) in SECRETS.items() if role in roles.split(", ")
        }


def test_every_confidential_key_is_listed() -> None:
    """A new secret must be added to the list above, so its roles are chosen deliberately."""
    confidential = {path for path, field in keys() if is_confidential(field)}
    user_plugin = ("MIDDLEWARES", "WS", "package.module:Plugin", "args", "token")
    assert confidential == {path for path, _ in SECRETS.values()} - {user_plugin}


def test_keys_named_like_secrets_are_confidential() -> None:
    """A text key named password, token, address or the like is marked confidential."""
    named = {
        path for path, field in keys() if is_text(field) and MAY_HOLD_A_SECRET.search(path[-1])
    }
    assert named == {path for path, field in keys() if is_confidential(field)}


def test_the_rest_is_the_same_for_all_roles() -> None:
    """Only confidential keys are emptied; everything else is as configured."""
    table = {"LUNA_PASS": {"port": 99}, "LIVENESS": {"THRESHOLDS": {"yaw": 5}}}
    config = Config.model_validate(table)
    for role in ROLES:
        part = Generation(config).part(role).config
        assert part.LUNA_PASS.port == 99
        assert part.LIVENESS == config.LIVENESS


def test_a_gateway_gets_public_keys_and_a_derived_key() -> None:
    """It can publish the keys and seal stored sessions, but not sign."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    config = Config.model_validate(
        {
            "LUNA_PASS": {"JWT": {"algorithm": "ES256", "key": pem}},
            "SESSION_STORE": {"connectionString": "redis://redis"},
        }
    )
    part = Generation(config).part("gateway")
    assert part.jwks == Signer(config.LUNA_PASS.JWT).jwks
    assert part.sealing_key == derived_key(config.LUNA_PASS.JWT, "session store")
    scalar = key.private_numbers().private_value.to_bytes(32)
    packed = pack(part)
    assert base64.urlsafe_b64encode(scalar).rstrip(b"=") not in packed
    assert pem.splitlines()[1].encode() not in packed
    with pytest.raises(ConfigError, match="only the aggregator"):
        Signer(part.config.LUNA_PASS.JWT)
    with pytest.raises(ConfigError, match="only the aggregator"):
        derived_key(part.config.LUNA_PASS.JWT, "session store")


def test_without_a_session_store_no_key_is_derived() -> None:
    """A role gets no key that it does not need."""
    assert Generation(Config()).part("gateway").sealing_key == b""


@given(configurations(), st.sampled_from(ROLES))
def test_a_part_survives_a_round_trip(table: dict[str, Any], role: str) -> None:
    """This includes dates of user plugins, unusual characters and long numbers."""
    table.get("LUNA_PASS", {}).pop("JWT", None)  # keys at random do not fit their algorithm
    part = Generation(Config.model_validate(table)).part(role)
    assert unpack(pack(part), role) == part


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-2],
        lambda data: data.replace(b'"jwks"', b'"jkws"'),
        lambda data: data.replace(b"port = ", b"port = -"),
        lambda data: data.replace(b"[LUNA_PASS]", b"[LUNA_PASS"),
    ],
    ids=["cut off", "another field", "impossible value", "no TOML"],
)
def test_a_damaged_part_is_refused(damage: Any) -> None:
    """The error is one line without any value, which may be a secret."""
    data = pack(Part("gateway", "0", full()))
    with pytest.raises(ConfigError) as caught:
        unpack(damage(data), "gateway")
    assert "made by another version" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert caught.value.__suppress_context__


def test_another_roles_part_is_refused() -> None:
    """A worker's unit with the aggregator's file does not start."""
    with pytest.raises(ConfigError, match="for the aggregator; allowed here: worker"):
        unpack(pack(Generation(full()).part("aggregator")), "worker")


def test_different_configurations_have_different_generation_names() -> None:
    """They may differ in a password only; equal configurations have equal names."""
    one, same, other = full(), full(), full()
    auth = other.MIDDLEWARES.REQUEST.BasicAuth
    changed = auth.args.model_copy(update={"password": SecretStr("another password")})
    request = {"BasicAuth": auth.model_copy(update={"args": changed})}
    middlewares = other.MIDDLEWARES.model_copy(
        update={"REQUEST": other.MIDDLEWARES.REQUEST.model_copy(update=request)}
    )
    other = other.model_copy(update={"MIDDLEWARES": middlewares})
    names = [Generation(config).name for config in (one, same, other)]
    assert names[0] == names[1] != names[2]
    assert {Generation(one).part(role).generation for role in ROLES} == {names[0]}


def test_each_role_gets_its_own_transport_key_and_the_others_public_ones() -> None:
    """Generated keys are in the parts like configured ones, and survive a reload."""
    config = with_transport_keys(Config())
    for role in ROLES:
        keys = Generation(config).part(role).config.TRANSPORT.KEYS
        secrets = {name: getattr(keys, f"{name}Secret").get_secret_value() for name in ROLES}
        assert [name for name, secret in secrets.items() if secret] == [role]
        for name in ROLES:
            assert public_key(keys, name) == own_pair(config.TRANSPORT.KEYS, name)[0]
    assert with_transport_keys(Config(), config) == config
    assert with_transport_keys(Config()) != config


def test_transport_keys_do_not_change_the_name_of_a_generation() -> None:
    """Two starts or machines with the same configuration have the same name."""
    plain, one, other = Config(), with_transport_keys(Config()), with_transport_keys(Config())
    assert len({Generation(config).name for config in (plain, one, other)}) == 1


def test_a_part_is_narrowed_to_its_cell() -> None:
    """Number and folder are the cell's; the generation is the machine's."""
    generation = Generation(full())
    part = generation.part("worker", 1)
    wanted = of_cell(generation.config, 1).TRANSPORT
    assert part.config.TRANSPORT.cell == wanted.cell == 1
    assert part.config.TRANSPORT.runtimeDirectory == wanted.runtimeDirectory
    assert part.generation == generation.name


def test_key_files_are_read_once(tmp_path: Path) -> None:
    """Later changes of a file do not affect the generation."""
    file = tmp_path / "key"
    file.write_text("k" * 64 + "\n")
    config = Config.model_validate({"LUNA_PASS": {"JWT": {"key": f"file:{file}"}}})
    generation = Generation(resolve_key_files(config))
    file.unlink()
    assert generation.part("aggregator").config.LUNA_PASS.JWT.key.get_secret_value() == "k" * 64
    with pytest.raises(ConfigError, match="No such file"):
        resolve_key_files(config)
