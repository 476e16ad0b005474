"""A role gets its part at start-up and the newest one on a reload, from each source."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.config.generation import Generation
from shared.config.handover import PartFile, PartSender, PartSocket
from shared.config.parts import Part, pack
from shared.config.service import Config
from shared.config.whole_file import WholeFile
from shared.errors import ConfigError

KEY = "0123456789abcdef0123456789abcdef0123456789abcdef"


def part(port: int, role: str = "worker") -> Part:
    return Generation(Config.model_validate({"LUNA_PASS": {"port": port}})).part(role)


@pytest.fixture
def sender() -> Iterator[PartSender]:
    made = PartSender()
    yield made
    made.close()


def far_end(sender: PartSender) -> int:
    """Return the descriptor that a process would inherit."""
    descriptor = os.dup(sender.far_end)
    sender.inherited()
    return descriptor


def test_the_newest_of_several_parts_is_used(sender: PartSender) -> None:
    """A role uses it at start-up, if a reload came before, and on each reload."""
    sender.send(part(1))
    sender.send(part(2))
    with closing(PartSocket("worker", far_end(sender))) as source:
        assert source.part.config.LUNA_PASS.port == 2
        for port in (3, 4):
            sender.send(part(port))
        fresh = source.reload()
        assert fresh is not None
        assert fresh.config.LUNA_PASS.port == 4
        assert source.reload() == fresh  # a reload without a new part


def test_a_part_of_any_size_is_transferred(sender: PartSender) -> None:
    """It may be larger than any socket buffer."""
    plugins = {"a.b:C": {"args": {"text": "x" * 5_000_000}}}
    config = Config.model_validate({"MIDDLEWARES": {"WS": plugins}})
    sent = Generation(config).part("aggregator")
    sender.send(sent)
    with closing(PartSocket("aggregator", far_end(sender))) as source:
        assert source.part == sent


def test_a_socket_without_a_part_prevents_the_start(sender: PartSender) -> None:
    """So does another role's part, and a descriptor that is not a socket."""
    descriptor = far_end(sender)
    with pytest.raises(ConfigError, match="no configuration was sent"):
        PartSocket("worker", os.dup(descriptor))
    sender.send(part(1, "aggregator"))
    with pytest.raises(ConfigError, match="for the aggregator"):
        PartSocket("worker", descriptor)
    null = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(ConfigError, match="inherited descriptor"):
        PartSocket("worker", null)
    os.close(null)


def test_a_part_for_another_role_changes_nothing(
    sender: PartSender, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the role keeps its part."""
    sender.send(part(1))
    with closing(PartSocket("worker", far_end(sender))) as source:
        sender.send(part(2, "gateway"))
        assert source.reload() is None
        assert "not reloaded" in caplog.text
        assert source.part.config.LUNA_PASS.port == 1


def test_a_dead_process_is_a_connection_error(sender: PartSender) -> None:
    """The supervisor expects it: the next process gets the newest part."""
    os.close(far_end(sender))
    with pytest.raises(ConnectionError):
        sender.send(part(1))


def test_a_dead_supervisor_changes_nothing(sender: PartSender) -> None:
    """The role keeps its part until it ends, too."""
    sender.send(part(1))
    with closing(PartSocket("worker", far_end(sender))) as source:
        sender.close()
        assert source.reload() == source.part


def test_a_part_file_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A new part is used; a damaged or missing one changes nothing."""
    file = tmp_path / "part.json"
    file.write_bytes(pack(part(1)))
    source = PartFile("worker", file)
    file.write_bytes(pack(part(2)))
    fresh = source.reload()
    assert fresh is not None
    assert fresh.config.LUNA_PASS.port == 2
    file.write_bytes(b"{}")
    assert source.reload() is None
    file.unlink()
    assert source.reload() is None
    assert caplog.text.count("not reloaded") == 2
    with pytest.raises(ConfigError, match="cannot be read"):
        PartFile("worker", file)


def test_a_variable_beside_a_part_file_causes_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has no effect; its value, maybe a secret, is not logged."""
    monkeypatch.setenv("LUNAPASS__LUNA_PASS__JWT__KEY", KEY)
    file = tmp_path / "part.json"
    file.write_bytes(pack(part(1)))
    PartFile("worker", file)
    assert "environment variables ignored here: LUNAPASS__LUNA_PASS__JWT__KEY;" in caplog.text
    assert KEY not in caplog.text


def test_a_part_file_is_narrowed_to_a_cell(tmp_path: Path) -> None:
    """All cells of a machine share the files, and each role gives its cell."""
    file = tmp_path / "part.json"
    file.write_bytes(pack(part(1)))
    source = PartFile("worker", file, 3)
    assert source.part.config.TRANSPORT.cell == 3
    assert source.part.config.TRANSPORT.runtimeDirectory == "run/3"


def test_a_role_started_by_hand_uses_only_its_part(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It reads the whole file itself, and reloads it."""
    caplog.set_level(logging.INFO)
    file = tmp_path / "config.toml"
    file.write_text(f'[LUNA_PASS.JWT]\nkey = "{KEY}"\n')
    source = WholeFile("worker", file)
    assert KEY not in pack(source.part).decode()
    text = file.read_text()
    file.write_text(f"{text}[LUNA_PASS]\nport = 7\n[LIVENESS.THRESHOLDS]\nyaw = 5\n")
    fresh = source.reload()
    assert fresh is not None
    assert fresh.config.LIVENESS.THRESHOLDS.yaw == 5
    assert fresh.config.LUNA_PASS.port == source.part.config.LUNA_PASS.port
    assert fresh.generation != source.part.generation
    file.write_text("[LIVENESS.THRESHOLDS]\nyaw = -5\n")
    assert source.reload() is None


def test_a_worker_started_by_hand_needs_no_key_file(tmp_path: Path) -> None:
    """It may run as a user that cannot read the key."""
    file = tmp_path / "config.toml"
    file.write_text('[LUNA_PASS.JWT]\nkey = "file:/nonexistent/key"\n')
    WholeFile("worker", file)
    with pytest.raises(ConfigError, match="/nonexistent/key"):
        WholeFile("gateway", file)
