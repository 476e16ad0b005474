"""``lunapass start-token``: a start token for tests, as a relying party's server makes it."""

from __future__ import annotations

import secrets
from pathlib import Path

import click
import jwt

from lunapass.commands.options import config_option
from shared.config.loading import load
from shared.errors import ConfigError
from shared.process.clock import SYSTEM
from shared.start_keys import with_file_read
from shared.text_files import read_text

ID_BYTES = 16


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
@click.option("--seconds", default=120, show_default=True, help="Lifetime.")
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
    args = with_file_read(load(config_path).MIDDLEWARES.REQUEST.StartToken.args)
    if key_file is not None:
        key = read_text(key_file)
    elif args.key is not None and args.algorithm.startswith("HS"):
        key = args.key.get_secret_value()
    else:
        raise ConfigError(
            f"[MIDDLEWARES.REQUEST.StartToken] has no shared secret for {args.algorithm}; "
            "give the relying party's private key with --key-file"
        )
    now = int(SYSTEM.wall())
    optional = {"sub": subject, "nonce": nonce, "kiosk": kiosk, "iss": issuer or args.issuer}
    claims = {
        "aud": args.audience,
        "iat": now,
        "exp": now + seconds,
        "jti": secrets.token_urlsafe(ID_BYTES),
        **{name: value for name, value in optional.items() if value is not None},
    }
    headers = None if key_id is None else {"kid": key_id}
    click.echo(jwt.encode(claims, key, algorithm=args.algorithm, headers=headers))
