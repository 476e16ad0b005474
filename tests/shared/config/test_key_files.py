"""No role ever gets the path of a key file as its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.web.server_result import ServerResult
from gateway.web.start_keys import key_source
from gateway.web.start_token import LEEWAY_SECONDS, StartTokens
from lunapass.supervisor import Supervisor
from shared.config.key_files import resolve_key_files, secret_files
from shared.config.plugins import StartTokenArgs
from shared.config.service import Config
from shared.config.source import ConfigSource
from shared.config.whole_file import WholeFile
from shared.errors import ConfigError
from shared.wire.protocol import ProtocolError
from tests.support.clock import SettableClock

SIGNING, SECRET, NEXT = "v" * 64, "s" * 64, "n" * 64
NAMES = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration whose start tokens have a key file."""
    path = tmp_path / "config.toml"
    write(path)
    key_file(path).write_text(SECRET)
    return path


def key_file(file: Path) -> Path:
    return file.parent / "start.key"


def write(file: Path, *, enabled: int = 1, more: str = "") -> None:
    file.write_text(f"""
[LUNA_PASS.JWT]
key = "{SIGNING}"
[TRANSPORT]
runtimeDirectory = "{file.parent}"
[MIDDLEWARES.REQUEST.StartToken]
isEnabled = {enabled}
args.key = "file:{key_file(file)}"
{more}""")


async def accepts(config: Config, key: str) -> bool:
    """Whether a gateway with this configuration accepts a start token signed with a key."""
    clock = SettableClock()
    tokens = StartTokens(config, clock=clock)
    clock.advance(2 * LEEWAY_SECONDS)
    now = clock.wall()
    claims = {"aud": "lunapass", "iat": now, "exp": now + 60, "jti": "1"}
    try:
        await tokens.verify(jwt.encode(claims, key, algorithm="HS256"))
    except ProtocolError:
        return False
    return True


async def test_a_reload_of_the_supervisor_reads_the_key_file(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After SIGHUP the gateway verifies with the file's content; its path signs nothing."""
    supervisor = Supervisor(ConfigSource(file), 1)

    def gateway() -> Config:
        return supervisor._generation.part("gateway").config

    try:
        key_file(file).write_text(NEXT)
        supervisor.reload()
        assert await accepts(gateway(), NEXT)
        assert not await accepts(gateway(), f"file:{key_file(file)}")
        for damage in (lambda: key_file(file).write_text("short"), key_file(file).unlink):
            damage()
            supervisor.reload()
            assert await accepts(gateway(), NEXT)
        assert caplog.text.count("not reloaded") == 2
    finally:
        await supervisor.stop()
        supervisor._notifier.close()


async def test_a_gateway_started_by_hand_reads_the_key_file(file: Path) -> None:
    """It does so at start-up and on a reload."""
    source = WholeFile("gateway", file)
    assert await accepts(source.part.config, SECRET)
    assert not await accepts(source.part.config, f"file:{key_file(file)}")
    key_file(file).write_text(NEXT)
    fresh = source.reload()
    assert fresh is not None
    assert await accepts(fresh.config, NEXT)
    key_file(file).unlink()
    assert source.reload() is None
    with pytest.raises(ConfigError, match=r"args\.key: file .* cannot be read"):
        WholeFile("gateway", file)
    WholeFile("worker", file)  # it may run as a user that cannot read the file


async def no_session(session: str) -> None:
    return None


def test_a_path_is_refused_as_a_key() -> None:
    """This is a second line of defence, in case a path arrives."""
    start = StartTokenArgs.model_validate({"key": "file:/etc/lunapass/start.key"})
    with pytest.raises(ConfigError, match="was not read"):
        key_source(start, clock=SettableClock())
    result = {"isEnabled": True, "args": {"key": "file:/etc/lunapass/result.key"}}
    config = Config.model_validate({"MIDDLEWARES": {"REQUEST": {"ServerResult": result}}})
    with pytest.raises(ConfigError, match="was not read"):
        ServerResult(config, no_session)


def test_a_key_file_that_names_another_file_is_refused(file: Path) -> None:
    """Its content would be taken for a path later, or for a secret."""
    key_file(file).write_text(f"file:/{'x' * 64}")
    with pytest.raises(ConfigError, match="names another file"):
        ConfigSource(file)


async def test_an_unreadable_key_refuses_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not break the connection."""
    tokens = StartTokens(config(SECRET))

    class Broken:
        async def key_for(self, token: str) -> object:
            return object()

    monkeypatch.setattr(tokens, "_keys", Broken())
    with pytest.raises(ProtocolError) as refused:
        await tokens.verify(jwt.encode({}, SECRET))
    assert refused.value.code == "start-token.invalid"


def test_a_plugin_that_is_off_needs_no_key_file(file: Path) -> None:
    """Neither a start nor the warnings about readable files read it."""
    key_file(file).unlink()
    write(file, enabled=0)
    assert ConfigSource(file).secret_files == []


def config(start: str, verifies: str = "HS256", **signing: Any) -> Config:
    plugin = {"isEnabled": True, "args": {"key": start, "algorithm": verifies}}
    return Config.model_validate(
        {
            "LUNA_PASS": {"JWT": {"key": SIGNING, **signing}},
            "MIDDLEWARES": {"REQUEST": {"StartToken": plugin}},
        }
    )


def test_one_secret_for_verdicts_and_start_tokens_is_refused(tmp_path: Path) -> None:
    """As a text or in a file, it would let the relying party sign verdicts."""
    (tmp_path / "key").write_text(f"{SIGNING}\n")
    named = f"file:{tmp_path / 'key'}"
    for start, signing in ((SIGNING, SIGNING), (named, SIGNING), (SIGNING, named), (named, named)):
        with pytest.raises(ConfigError, match="a key for each purpose"):
            resolve_key_files(config(start, key=signing))
    resolve_key_files(config(SECRET, key=named))


def test_one_key_pair_for_verdicts_and_start_tokens_is_refused() -> None:
    """Each verdict would start a session, even one signed with a previous key."""
    pairs = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    own, previous, other = (pair.public_key().public_bytes(*NAMES).decode() for pair in pairs)
    private = pairs[0].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    signing = {"key": private.decode(), "algorithm": "ES256", "publishedKeys": [previous]}
    for start in (own, previous):
        with pytest.raises(ConfigError, match="a key for each purpose"):
            resolve_key_files(config(start, "ES256", **signing))
    resolve_key_files(config(other, "ES256", **signing))


def test_readable_secret_files_cause_a_warning() -> None:
    """Root is warned of those that others can read; a public key may be readable."""
    assert secret_files(config("file:/a", key="file:/b")) == [Path("/b"), Path("/a")]
    assert secret_files(config("file:/a", "ES256")) == []
    assert secret_files(config(SECRET)) == []
    result = {"ServerResult": {"isEnabled": True, "args": {"key": "file:/c"}}}
    with_result = Config.model_validate({"MIDDLEWARES": {"REQUEST": result}})
    assert secret_files(with_result) == [Path("/c")]
