"""``lunapass erase``: remove what is stored about sessions."""

import sys
from datetime import datetime
from pathlib import Path

import click

from lunapass.commands.options import config_option
from shared.config.key_files import resolve_key_files
from shared.config.loading import load, load_video


@click.command()
@config_option
@click.option(
    "--video-config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The video worker's configuration; by default the one beside the service's.",
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
    sessions: tuple[str, ...],
    subject: str | None,
    before: datetime | None,
) -> None:
    """Remove sessions from all stores of this machine, and mark it in the audit."""
    if not sessions and subject is None and before is None:
        raise click.UsageError("give --session, --subject or --before")
    from lunapass.erasure import Erasure, require_session_id
    from lunapass.start_check import video_configuration

    for session in sessions:
        require_session_id(session)
    path = video_config or video_configuration(config_path)
    video = None if path is None else load_video(path)
    erasure = Erasure(resolve_key_files(load(config_path)), video)
    chosen = set(sessions)
    if subject is not None:
        chosen |= erasure.of_subject(subject)
    if before is not None:
        chosen |= erasure.before(before.timestamp())

    results = {session: erasure.erase(session) for session in sorted(chosen)}
    for session, (stores, failed) in results.items():
        click.echo(f"{session}: {', '.join(stores) or 'nothing stored'}")
        for store, error in failed.items():
            click.echo(f"error: {session}: {store}: something may be left: {error}", err=True)
    erasure.mark({session: erased for session, erased in results.items() if any(erased)})
    if any(erased.failed for erased in results.values()):
        sys.exit(1)
