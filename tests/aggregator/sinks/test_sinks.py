"""Which side-effect plugins a configuration turns on, and what a reload cannot change."""

from __future__ import annotations

from pathlib import Path

from aggregator.plugins.registry import Registry
from aggregator.sinks import registry as sinks
from shared.config.service import Config
from shared.config.source import EFFECTS
from shared.frame.checks import Rules
from tests.support.judge import plugin_config


def every(folder: Path) -> Config:
    return plugin_config(
        {
            "FileLogger": {"path": str(folder / "logs")},
            "VideoRedis": {"spoolPath": str(folder / "spool")},
            "Audit": {"path": str(folder / "audit")},
            "Callbacks": {"url": "http://127.0.0.1:1/", "queuePath": str(folder / "queue")},
        }
    )


def test_each_enabled_plugin_is_created(tmp_path: Path) -> None:
    """It creates all plugins that the registry leaves to this module, and none that is off."""
    Registry(every(tmp_path))
    made = sinks.build(every(tmp_path), Rules())
    assert {sink.name for sink in made} == EFFECTS
    for sink in made:
        sink.close()
    assert sinks.build(Config(), Rules()) == []


def test_a_reload_logs_changes_that_need_a_restart(tmp_path: Path) -> None:
    """These plugins are created at start-up; the log names a change of their settings."""
    assert sinks.changed(every(tmp_path), every(tmp_path)) == []
    assert sinks.changed(every(tmp_path), every(tmp_path / "other")) == sorted(EFFECTS)
    assert sinks.changed(Config(), every(tmp_path)) == sorted(EFFECTS)
