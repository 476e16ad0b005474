"""The command ``lunapass``: imports the subcommand, prints a start-up error as one line."""

import importlib
import sys

import click

from shared import __version__
from shared.errors import StartupError

COMMANDS = {
    "run": "Run all roles under one supervisor.",
    "demo": "Check a synthetic person with a temporary service and verify the token.",
    "gateway": "Run one gateway.",
    "worker": "Run one inference worker.",
    "aggregator": "Run one aggregator.",
    "video": "Run one video worker; show, retry and explain jobs.",
    "install-units": "Write systemd units for this machine.",
    "config": "Check, show and document the configuration.",
    "start-token": "Print a start token, as a relying party's server would make it.",
    "audit": "Verify, show and export the audit's records.",
    "erase": "Remove what is stored about sessions.",
    "migrate": "Convert configuration files of LUNA PASS to this service's.",
    "check": "Judge images or videos with the stages of a worker.",
    "capture-kit": "Record live and attack sessions at a kiosk.",
    "evaluate": "Measure error rates on a labelled set.",
    "compare": "Compare two evaluations of the same set.",
    "tune": "Show how other thresholds would have changed logged sessions.",
    "adapt": "Train a correction of the liveness score on a place's own frames.",
    "load": "Load-test a service with synthetic people.",
    "models": "Fetch, list and verify the model files.",
}
"""Name of each subcommand (module ``lunapass.commands.NAME``, function ``command``) and help."""


class LazyGroup(click.Group):
    """Group that imports a subcommand's module only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the subcommands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"lunapass.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__, prog_name="lunapass")
def cli() -> None:
    """Open face-liveness service: camera frames in, signed liveness verdict out."""


def main() -> None:
    """Run the command line; print a start-up error as one line and exit with status 2."""
    try:
        cli(prog_name="lunapass")
    except StartupError as error:
        click.echo(f"lunapass: {error}", err=True)
        sys.exit(2)
