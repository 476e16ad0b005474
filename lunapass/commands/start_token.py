"""``lunapass start-token``: a start token for tests, as a relying party's server makes it."""

from __future__ import annotations

from pathlib import Path

import click

from lunapass.commands.options import config_option
from shared.start_token_maker import SECONDS, StartTokenMaker


@click.command()
@config_option
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The private key in PEM that signs; for HS..., the configuration's key does.",
)
@click.option("--key-id", help="Id of that key in a JWK set (header kid).")
@click.option("--subject", help="Who is checked (claim sub).")
@click.option("--nonce", help="Value that the verdict's token must carry.")
@click.option("--kiosk", help="Name of the kiosk.")
@click.option("--issuer", help="Claim iss; by default the one that the configuration requires.")
@click.option("--seconds", default=SECONDS, show_default=True, help="Lifetime.")
def command(
    config_path: Path | None,
    key_file: Path | None,
    key_id: str | None,
    subject: str | None,
    nonce: str | None,
    kiosk: str | None,
    issuer: str | None,
    seconds: int,
) -> None:
    """Print a start token that the service takes under its configuration, once."""
    maker = StartTokenMaker(config_path, key_file, key_id)
    click.echo(maker.make(seconds, sub=subject, nonce=nonce, kiosk=kiosk, iss=issuer))
