"""The configuration in the Debian package; tests/machines/test_deb.py tests its installation."""

from __future__ import annotations

from pathlib import Path

from deploy.deb import default_config
from shared.config.loading import load


def test_the_configuration_is_the_same_on_all_machines(tmp_path: Path) -> None:
    """It contains no key and names the installed paths; everything else is the default."""
    path = tmp_path / "packaged.toml"
    path.write_text(default_config())
    config = load(path, {}).model_dump()
    key = config["LUNA_PASS"]["JWT"].pop("key")
    assert key.get_secret_value() == "file:/etc/lunapass/signing.key"
    assert config["MODELS"].pop("directory") == "/usr/lib/lunapass/models"
    defaults = load(Path("/dev/null"), {}).model_dump()
    del defaults["LUNA_PASS"]["JWT"]["key"], defaults["MODELS"]["directory"]
    assert config == defaults
