"""``lunapass config``: check, show and document the configuration."""

from __future__ import annotations

import json
import secrets
import tomllib
from pathlib import Path

import click

from shared.config.loading import load, usual_path
from shared.config.policy import sentence, weaknesses
from shared.config.rules import check
from shared.config.service import Config
from shared.config.toml import dump

KEY_BYTES = 64
"""Random bytes of a new key: enough for each of HS256, HS384 and HS512."""

HEADER = """\
# Configuration of the service: every key with its default, in the order of the manual.
# Made by: lunapass config show --defaults
#
# The key of [LUNA_PASS.JWT] must be changed before a start in production:
# lunapass config key prints a new one.

"""


@click.group()
def command() -> None:
    """Check, show and document the configuration."""


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--without-models", is_flag=True, help="Do not load the models: this machine has none."
)
def check_file(file: Path | None, without_models: bool) -> None:
    """Tell every fault and warning of FILE, environment variables included.

    Tells in one sentence, too, what FILE asks of a person, and warns where that is little. Without
    FILE, the configuration that a start would take is checked. Every file that it names is opened
    as at a start: keys, labels of cameras, the page, models. Where VideoRedis is on and the video
    worker's configuration is on this machine too, its task is looked for. Relative paths count from
    the current folder. Plugins of the user's own are loaded and judge their arguments. The exit
    status is 0 when the service can start with FILE, warnings or not, otherwise 2.
    """
    from lunapass.start_check import check_start

    source = str(file or usual_path() or "defaults")
    config = load(file)
    weak = [f"{source}: {finding}" for finding in weaknesses(config)]
    for warning in (*check(config, source), *weak):
        click.echo(f"warning: {warning}", err=True)
    check_start(config, file or usual_path(), models=not without_models)
    click.echo(f"{source}: valid")
    click.echo(sentence(config))


@command.command()
@click.option("--defaults", is_flag=True, help="Show the defaults, with comments.")
@click.option("--config", "file", type=click.Path(path_type=Path), help="Configuration file.")
@click.option(
    "--format", "form", type=click.Choice(["toml", "json"]), default="toml", show_default=True
)
def show(defaults: bool, file: Path | None, form: str) -> None:
    """Print the configuration in force, secrets hidden."""
    if defaults and file is not None:
        raise click.UsageError("--defaults and --config exclude each other")
    config = Config() if defaults else load(file)
    text = HEADER + dump(config, reveal=True) if defaults else dump(config, comments=False)
    if form == "json":
        text = json.dumps(tomllib.loads(text), indent=2, default=str) + "\n"
    click.echo(text, nl=False)


@command.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
def policy(file: Path | None) -> None:
    """Print the claim 'policy' that tokens carry under FILE, as JSON.

    Without FILE, that of the configuration that a start would take. The models are loaded, for
    their digest is part of it. A relying party compares a token's claim with this one.
    """
    import numpy as np

    from aggregator.plugins.registry import Registry
    from aggregator.policy import Basis
    from inference_pool.backends import load_backend
    from inference_pool.worker import make_estimator
    from shared.frame.estimation import Profile

    config = load(file)
    estimator = make_estimator(load_backend(config), config)
    estimate = estimator.estimate(np.zeros((480, 640, 3), np.uint8), Profile.PASSIVE)
    claim = Registry(config).policy.claim([Basis.of(estimate)])
    click.echo(json.dumps(claim, indent=2))


@command.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--config", "file", type=click.Path(path_type=Path), help="Configuration file.")
@click.option(
    "--reload", "again", is_flag=True, help="Take over only what may change while roles run."
)
def parts(directory: Path, file: Path | None, again: bool) -> None:
    """Write each role's part of the configuration into DIRECTORY, which only its owner may enter.

    A unit that sees one folder of it, and not the configuration, gives its role no other role's
    secrets. lunapass-config.service runs this.
    """
    from lunapass.part_files import write_parts

    config, warnings = write_parts(directory, file, again=again)
    for warning in (*warnings, *weaknesses(config)):
        click.echo(f"warning: {warning}", err=True)
    click.echo(sentence(config))


@command.command()
def docs() -> None:
    """Print the reference of all keys in Markdown."""
    from lunapass.config_reference import reference

    click.echo(reference(), nl=False)


@command.command()
@click.option(
    "--transport",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Make keys for the lines between roles instead, in this folder.",
)
def key(directory: Path | None) -> None:
    """Print a new random key for [LUNA_PASS.JWT].

    With --transport, write a secret key for each role into a file that only its owner may read,
    and print the lines of the configuration that name them.
    """
    if directory is None:
        click.echo(secrets.token_urlsafe(KEY_BYTES))
        return
    from shared.wire.curve import write_keys

    click.echo(write_keys(directory), nl=False)
