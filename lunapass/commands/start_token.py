"""``lunapass start-token``: a start token for tests, as a relying party's server makes it."""

from pathlib import Path

import click

from lunapass.commands.options import FILE, config_option
from shared.start_token_maker import SECONDS, StartTokenMaker


@click.command()
@config_option
@click.option(
    "--key-file",
    type=FILE,
    help="The key that signs: a private key in PEM, or the shared secret (HS256, HS384, HS512); by "
    "default the configuration's secret.",
)
@click.option("--key-id", help="Id of that key in a JWK set (header kid).")
@click.option("--subject", help="Who is checked (claim sub).")
@click.option("--nonce", help="Value that the verdict's token must carry.")
@click.option("--kiosk", help="Name of the kiosk.")
@click.option("--issuer", help="Claim iss; by default the one that the configuration requires.")
@click.option("--seconds", type=int, help=f"Lifetime; by default up to {SECONDS}.")
def command(
    config_path: Path | None,
    key_file: Path | None,
    key_id: str | None,
    subject: str | None,
    nonce: str | None,
    kiosk: str | None,
    issuer: str | None,
    seconds: int | None,
) -> None:
    """Print a start token that is valid once for this configuration."""
    maker = StartTokenMaker(config_path, key_file, key_id)
    click.echo(maker.make(seconds, sub=subject, nonce=nonce, kiosk=kiosk, iss=issuer))
