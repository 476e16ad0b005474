"""``lunapass erase``: remove what is stored about sessions."""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lunapass.commands.options import EXISTING_FOLDER, config_option
from lunapass.installed import unit_environment, working_directory
from shared.config.key_files import resolve_key_files
from shared.config.loading import load, load_video
from shared.errors import os_errors

if TYPE_CHECKING:
    from lunapass.erasure import Erasure


@click.command()
@config_option
@click.option(
    "--video-config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The video worker's configuration; by default the one beside the service's.",
)
@click.option(
    "--directory",
    metavar="DIR",
    type=EXISTING_FOLDER,
    help="The service's working directory, to which paths in the configuration are relative; by "
    "default /var/lib/lunapass with a configuration in /etc/lunapass, else the current folder.",
)
@click.option(
    "--runtime-directory",
    metavar="DIR",
    type=EXISTING_FOLDER,
    help="The service's runtime directory; by default /run/lunapass with a configuration in "
    "/etc/lunapass, else the configuration's.",
)
@click.option("--session", "sessions", multiple=True, help="A session; may be repeated.")
@click.option("--subject", help="All sessions of a person: sub of their start tokens.")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="All sessions that began before a day or time (local).",
)
def command(
    config_path: Path | None,
    video_config: Path | None,
    directory: Path | None,
    runtime_directory: Path | None,
    sessions: tuple[str, ...],
    subject: str | None,
    before: datetime | None,
) -> None:
    """Remove sessions from all stores of this machine, and mark it in the audit.

    Nothing is removed if the folder of an enabled store does not exist, since its files may be
    elsewhere.
    """
    if not sessions and subject is None and before is None:
        raise click.UsageError("give --session, --subject or --before")
    from lunapass.erasure import Erasure, require_session_id
    from lunapass.start_check import video_configuration

    for session in sessions:
        require_session_id(session)
    path = video_config or video_configuration(config_path)
    video = None if path is None else load_video(path)
    config = load(config_path, unit_environment(config_path, runtime_directory))
    folder = directory or working_directory(config_path)
    with contextlib.ExitStack() as stack:
        advice = "give the service's one with --directory, and run this as root or its user"
        with os_errors(f"working directory {folder}", advice):
            stack.enter_context(contextlib.chdir(folder))
        runtime = config.TRANSPORT.runtimeDirectory
        click.echo(f"working directory {folder}, runtime directory {runtime}")
        config = resolve_key_files(config)
        erasure = Erasure(config, video, video_required=video_config is not None)
        if faults := erasure.faults():
            for fault in faults:
                click.echo(f"error: {fault}", err=True)
            sys.exit(1)
        for store in erasure.unsearched():
            click.echo(f"not searched: {store}")
        chosen = set(sessions)
        if subject is not None:
            chosen |= erasure.of_subject(subject)
        if before is not None:
            chosen |= erasure.before(before.timestamp())
        if not chosen:
            click.echo("no session found")
        _erase(erasure, chosen)


def _erase(erasure: Erasure, chosen: set[str]) -> None:
    """Erase sessions, print and mark what happened; exit with status 1 if something may be left."""
    results = {session: erasure.erase(session) for session in sorted(chosen)}
    for session, (stores, failed) in results.items():
        click.echo(f"{session}: {', '.join(stores) or 'nothing stored'}")
        for store, error in failed.items():
            click.echo(f"error: {session}: {store}: something may be left: {error}", err=True)
    erasure.mark({session: erased for session, erased in results.items() if any(erased)})
    if any(erased.failed for erased in results.values()):
        sys.exit(1)
