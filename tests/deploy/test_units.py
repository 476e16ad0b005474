"""The systemd units fit the machine: CPUs, cells and ports are in drop-ins."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.units import CELL_DROP_IN, CONFIG, DROP_IN, Layout, render, worker_cpus, write
from lunapass.installed import (
    CONFIG_FOLDER,
    RUNTIME_DIRECTORY,
    RUNTIME_VARIABLE,
    WORKING_DIRECTORY,
)
from shared.errors import ConfigError, ResourceError

TARGET = f"lunapass.target.d/{DROP_IN}"


def test_one_worker_unit_for_each_cpu() -> None:
    """The target wants the socket, gateway and aggregator of each cell, and every worker."""
    files = render(Layout(cpus=[3, 2, 1]))
    for name in ("gateway@0.socket", "gateway@0.service", "worker@3.service", "worker@1.service"):
        assert f"Wants=lunapass-{name}\n" in files[TARGET]
    assert "CPUAffinity=%i" in files["lunapass-worker@.service"]


def test_workers_belong_to_their_cell() -> None:
    """Each cell's workers have its number, and are stopped after its gateway."""
    files = render(Layout(cpus=[7, 6, 5, 4], cells=2, port=80, cell_port=8400))
    second = files[f"lunapass-worker@4.service.d/{CELL_DROP_IN}"]
    assert "LUNAPASS_CELL=1" in second
    assert "Before=lunapass-gateway@1.service" in second
    socket = files[f"lunapass-gateway@1.socket.d/{DROP_IN}"]
    assert "ReusePort=yes" in socket
    assert "ListenStream=0.0.0.0:80\n" in socket
    assert "ListenStream=0.0.0.0:8401\n" in socket


def test_the_socket_serves_both_address_families() -> None:
    """In systemd IPv6 addresses are in brackets; ``::`` accepts IPv4 clients, too."""
    name = f"lunapass-gateway@0.socket.d/{DROP_IN}"
    both = render(Layout(cpus=[0], host="::", cell_port=8400))[name]
    assert "ListenStream=[::]:8321\n" in both
    assert "ListenStream=[::]:8400\n" in both
    assert "BindIPv6Only=both" in both
    assert "BindIPv6Only" not in render(Layout(cpus=[0], host="::1"))[name]


def test_the_folders_of_the_units_are_those_that_commands_look_in() -> None:
    """``lunapass erase`` removes nothing elsewhere."""
    assert Path(CONFIG).parent == CONFIG_FOLDER
    files = render(Layout(cpus=[3]))
    units = {
        name: text for name, text in files.items() if name.endswith(("@.service", "pi.service"))
    }
    assert len(units) == 5
    for text in units.values():
        assert f"\nWorkingDirectory={WORKING_DIRECTORY}\n" in text
    configuration = f"{RUNTIME_VARIABLE}={RUNTIME_DIRECTORY}\n"
    assert configuration in files["lunapass-config.service"]
    assert configuration in files["lunapassapi.service"]


def test_settings_of_all_workers_are_not_hidden() -> None:
    """Of two drop-ins with the same name systemd reads only that of the instance."""
    files = render(Layout(cpus=[3, 2]))
    common = {Path(name).name for name in files if "lunapass-worker@.service.d/" in name}
    own = {Path(name).name for name in files if "lunapass-worker@3.service.d/" in name}
    assert common
    assert own
    assert not common & own


def test_custom_paths_of_program_and_configuration_are_used() -> None:
    """No unit uses the default paths then."""
    files = render(Layout(cpus=[0], program="/x/lunapass", config="/y/c.toml", video_config="/y/v"))
    text = "".join(files.values())
    assert "/opt/lunapass/current" not in text
    assert "/etc/lunapass" not in text
    assert "ExecStart=/x/lunapass gateway --cell %i --part " in text
    config = files["lunapass-config.service"]
    assert "ExecStart=/x/lunapass config parts /run/lunapass-config --config /y/c.toml\n" in config


def test_no_unit_of_a_role_names_the_configuration() -> None:
    """Each role sees only the folder with its own part, and no value is in its environment."""
    files = render(Layout(cpus=[0], config="/y/c.toml", systemd=254))
    for role in ("gateway", "worker", "aggregator"):
        unit = files[f"lunapass-{role}@.service"]
        assert "/y/c.toml" not in unit
        assert f"BindReadOnlyPaths=/run/lunapass-config/{role}:/run/lunapass-part\n" in unit
        assert "LUNAPASS__" not in unit + files[f"lunapass-{role}@.service.d/{DROP_IN}"]


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/etc/x_y/a-b.toml", "/etc/x_y/a-b.toml"),
        ("/etc/100%/$HOME.toml", "/etc/100%%/$$HOME.toml"),
        ('/etc/a b/"c"\\d.toml', r'"/etc/a b/\"c\"\\d.toml"'),
    ],
)
def test_any_path_is_one_word_of_a_command(path: str, word: str) -> None:
    """Spaces, percent signs and dollar signs in a folder's name are escaped for systemd."""
    text = render(Layout(cpus=[0], config=path))["lunapass-config.service"]
    assert text.count(f" --config {word}\n") == 2


def test_restart_pauses_grow_if_systemd_supports_it() -> None:
    """Older versions would log unknown keys."""
    old, new = (render(Layout(cpus=[0], systemd=version)) for version in (252, 254))
    assert "RestartSteps" not in "".join(old.values())
    assert "RestartSteps" in new[f"lunapass-worker@.service.d/{DROP_IN}"]


def test_only_workers_with_openvino_may_generate_code() -> None:
    """All other processes cannot make written memory executable."""
    allowed = "MemoryDenyWriteExecute=no"
    assert allowed not in "".join(render(Layout(cpus=[1, 0])).values())
    files = render(Layout(cpus=[1, 0], makes_code=True))
    names = {name for name, text in files.items() if allowed in text}
    units = ("lunapass-worker@.service", "lunapassapi.service")  # the second runs workers, too
    assert names == {f"{unit}.d/{DROP_IN}" for unit in units}


def test_a_smaller_layout_removes_old_drop_ins(tmp_path: Path) -> None:
    """Drop-ins of removed workers are deleted; the administrator's own are kept."""
    write(render(Layout(cpus=[1, 0])), tmp_path)
    own = tmp_path / "lunapass-worker@0.service.d" / "50-own.conf"
    own.write_text("[Service]\n")
    write(render(Layout(cpus=[1])), tmp_path)
    assert not (tmp_path / f"lunapass-worker@0.service.d/{CELL_DROP_IN}").exists()
    assert own.exists()


@pytest.mark.parametrize("wanted", [0, 3])
def test_more_workers_than_cpus_are_refused(wanted: int) -> None:
    """A unit is named after its CPU, so each CPU has at most one worker."""
    with pytest.raises(ConfigError, match="1 to 2"):
        worker_cpus(wanted, [], [0, 1])


def test_a_missing_cpu_is_named_in_the_error() -> None:
    """The configured CPUs must exist."""
    with pytest.raises(ConfigError, match="no CPU 9"):
        worker_cpus(1, [9], [0, 1])


def test_the_last_cpus_are_for_workers() -> None:
    """The first ones are for gateways and aggregators."""
    assert worker_cpus(2, [], [0, 1, 2, 3]) == [3, 2]


def test_a_read_only_directory_is_named_in_the_error() -> None:
    """The message says what to do."""
    with pytest.raises(ResourceError, match="--directory"):
        write({"a.service": ""}, Path("/proc"))
