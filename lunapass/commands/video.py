"""``lunapass video``: the video worker, and what operators ask about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lunapass.commands.options import config_option
from shared.config.loading import VIDEO, load_video
from shared.config.toml import dump
from shared.config.video import VideoConfig
from shared.errors import ResourceError

if TYPE_CHECKING:
    from redis import Redis

HEADER = """\
# Configuration of the video worker: every key with its default.
# Made by: lunapass video defaults
#
# An environment variable sets one key over the file: LUNAPASSVIDEO__VIDEO__CODEC=H264.

"""
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(invoke_without_command=True)
@config_option
@click.pass_context
def command(context: click.Context, config_path: Path | None) -> None:
    """Run one video worker, or (with a command) look after the videos."""
    context.obj = config_path
    if context.invoked_subcommand is None:
        _run(load_video(config_path))


def _run(config: VideoConfig) -> None:
    try:
        from video_builder.worker import run
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"the Python package {error.name} is not installed; install open-lunapass[video]"
        ) from error
    run(config)


@command.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.pass_obj
def check(config_path: Path | None, file: Path | None) -> None:
    """Tell every fault of FILE and of its task file; the exit status is 2 where there is one."""
    from shared.redis_connection import check_address
    from video_builder.task import Tasks

    path = file or config_path
    config = load_video(path)
    check_address(config.REDIS.connectionString)
    tasks = Tasks(Path(config.WORKER.task))
    click.echo(
        f"{path or VIDEO.usual_path() or 'defaults'}: valid; tasks: {', '.join(tasks.names)}"
    )


@command.command()
def defaults() -> None:
    """Print the whole configuration file with comments and defaults."""
    click.echo(HEADER + dump(VideoConfig(), reveal=True), nl=False)


@command.command()
def task() -> None:
    """Print a task file to begin with: what happens to each video."""
    click.echo(resources.files("video_builder").joinpath("task.example").read_text(), nl=False)


@command.command()
@json_option
@click.pass_obj
def status(config_path: Path | None, as_json: bool) -> None:
    """Show what waits, runs, is done and failed."""
    from video_builder.status import queue_status

    with _redis(config_path) as (redis, config):
        found = [queue_status(redis, name) for name in config.REDIS.queueNames]
    if as_json:
        click.echo(json.dumps([asdict(queue) for queue in found], indent=2))
        return
    for queue in found:
        click.echo(
            f"queue {plain(queue.name)}: {queue.waiting} waiting, {queue.scheduled} scheduled, "
            f"{len(queue.running)} running, {queue.finished} finished, {queue.failed} failed; "
            f"{queue.perMinute:g} videos a minute; workers: {len(queue.workers)}"
        )
        for job in queue.running:
            click.echo(
                f"  {plain(job.session)}  {plain(job.stage)} {job.done}/{job.total}"
                f"  on {plain(job.worker)}"
            )


@command.group(invoke_without_command=True)
@click.pass_context
def failed(context: click.Context) -> None:
    """List, show and retry the sessions whose video could not be made."""
    if context.invoked_subcommand is None:
        context.invoke(list_failed)


@failed.command("list")
@json_option
@click.pass_obj
def list_failed(config_path: Path | None, as_json: bool = False) -> None:
    """List the failed sessions, the latest first, each with its reason."""
    from video_builder.status import failures

    with _redis(config_path) as (redis, config):
        found = [job for name in config.REDIS.queueNames for job in failures(redis, name)]
    if as_json:
        click.echo(json.dumps([asdict(job) for job in found], indent=2))
        return
    for job in found:
        click.echo(f"{plain(job.session)}  {job.ended}  {plain(job.reason)}")
    if not found:
        click.echo("no failed sessions")


@failed.command()
@click.argument("session")
@click.pass_obj
def show(config_path: Path | None, session: str) -> None:
    """Show all that is known of a failed session's error."""
    from video_builder.status import failure

    with _redis(config_path) as (redis, _):
        found = failure(redis, session)
    if found is None:
        raise click.ClickException(f"no failed session {session}")
    click.echo(f"session {plain(found.session)}, queue {plain(found.queue)}, ended {found.ended}")
    for line in found.trace.splitlines():
        click.echo(plain(line))


@failed.command()
@click.argument("sessions", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Retry all failed sessions.")
@click.pass_obj
def retry(config_path: Path | None, sessions: tuple[str, ...], everything: bool) -> None:
    """Put failed SESSIONS back into their queue."""
    from video_builder.status import failures
    from video_builder.status import retry as again

    if bool(sessions) == everything:
        raise click.UsageError("give sessions or --all")
    with _redis(config_path) as (redis, config):
        if everything:
            queues = config.REDIS.queueNames
            sessions = tuple(job.session for name in queues for job in failures(redis, name))
        missing = [session for session in sessions if not again(redis, session)]
    click.echo(f"{len(sessions) - len(missing)} sessions are in the queue again")
    if missing:
        raise click.ClickException(f"no failed session {', '.join(missing)}")


def plain(text: str) -> str:
    """Make text from Redis harmless to a terminal."""
    return re.sub(r"[^\x20-\x7e\xa0-\uffff]", "?", text)


@contextmanager
def _redis(config_path: Path | None) -> Iterator[tuple[Redis, VideoConfig]]:
    """Connect as the worker would."""
    from redis.exceptions import RedisError

    from shared.redis_connection import connect

    config = load_video(config_path)
    redis = connect(config.REDIS.connectionString, timeout=10)
    try:
        yield redis, config
    except RedisError as error:
        raise ResourceError(f"[REDIS] connectionString: {error}; is Redis running?") from error
    finally:
        redis.close()
