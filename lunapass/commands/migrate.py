"""``lunapass migrate``: convert configuration files of LUNA PASS to this service's."""

import sys
from pathlib import Path

import click

from lunapass.commands.options import FILE, FOLDER
from lunapass.migration.text import read_original
from lunapass.migration.translation import ChangeKind, Translation, translate
from shared.config.loading import load, load_video
from shared.config.rules import check
from shared.config.service import Config
from shared.errors import ConfigError, StartupError, os_errors
from shared.process.files import write_atomically

SERVICE_FILE, VIDEO_FILE = "lunapassapi.config.toml", "lunapassvideo.config.toml"
PRIVATE = 0o600
"""Mode of the new files: they contain the key that signs tokens."""
OPEN_QUESTIONS = 1
"""Exit status if an administrator must decide something."""


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--output", type=FOLDER, default=Path("migrated"), help="Folder of the new files.")
@click.option("--force", is_flag=True, help="Replace files in that folder.")
def command(files: tuple[Path, ...], output: Path, force: bool) -> None:
    """Convert configuration FILES of LUNA PASS 1.6 to 2.2 to this service's.

    Accepts lunapassapi.config.toml and lunapassvideo.config.toml. Keeps order and comments. Adds a
    comment to each key that moved, changed its meaning or does not exist here. Lists the keys that
    the original does not set as comments with their defaults. The exit status is 0 if everything
    was taken over, 1 if you must decide something, 2 if a file cannot be read
    or written.
    """
    translations = [_translate(file) for file in files]
    targets = [output / _name(translation) for translation in translations]
    if len(set(targets)) < len(targets):
        raise StartupError("two files are of the same kind; migrate one at a time")
    for target in targets:
        if target.exists() and not force:
            raise StartupError(f"{target} exists; name another --output, or give --force")
    is_open = False
    for translation, target in zip(translations, targets, strict=True):
        _write(target, translation.text)
        is_open = _check(target, translation) or is_open
    sys.exit(OPEN_QUESTIONS if is_open else 0)


def _write(target: Path, text: str) -> None:
    with os_errors(target, "give another --output"):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, text.encode(), mode=PRIVATE)


def _translate(file: Path) -> Translation:
    text, encoding = read_original(file)
    translation = translate(text)
    if not translation.values:
        raise ConfigError(f"{file}: sets no key of LUNA PASS; give its configuration file")
    click.echo(f"{file}" + (f" (decoded as {encoding})" if encoding else ""))
    for change in translation.changes:
        click.echo(f"  line {change.line}: {change.kind.value}: {change.key}: {change.text}")
    return translation


def _name(translation: Translation) -> str:
    return SERVICE_FILE if translation.root is Config else VIDEO_FILE


def _check(target: Path, translation: Translation) -> bool:
    """Load the new file like a start; return whether the administrator must decide something."""
    click.echo(
        f"{target}: {len(translation.values)} keys taken over, {len(translation.open)} left out"
    )
    try:
        if translation.root is Config:
            for warning in check(load(target, {}), str(target)):
                click.echo(f"warning: {warning}")
        else:
            load_video(target, {})
    except ConfigError as error:
        click.echo(f"to fix before a start: {error}")
        return True
    return any(change.kind is ChangeKind.OPEN for change in translation.changes)
