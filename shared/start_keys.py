"""Reads the key of start tokens and checks that it fits the algorithm."""

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import get_default_algorithms
from pydantic import SecretStr

from shared.config.plugins import StartTokenArgs
from shared.errors import ConfigError
from shared.signing import KEY_BYTES, KINDS, MIN_RSA_BITS
from shared.text_files import value_or_file

PLACE = "[MIDDLEWARES.REQUEST.StartToken] args.key"


def resolve_start_key(args: StartTokenArgs) -> StartTokenArgs:
    """Replace ``file:PATH`` by the content of the file, and check that the key fits.

    Raises:
        ConfigError: the file cannot be read, or the key does not fit the algorithm.
    """
    if args.key is None:
        return args
    text = value_or_file(args.key.get_secret_value(), PLACE)
    require_fit(args.algorithm, text)
    return args.model_copy(update={"key": SecretStr(text)})


def require_fit(algorithm: str, text: str, place: str = PLACE) -> None:
    """Check that a key can verify: a long secret, or a public key of the algorithm's kind.

    Raises:
        ConfigError: it does not fit; ``place`` says where it is.
    """
    if algorithm in KEY_BYTES:
        if text.startswith("-----BEGIN ") or len(text.encode()) < KEY_BYTES[algorithm]:
            raise ConfigError(
                f"{place}: does not fit {algorithm}; allowed: a shared secret of at least "
                f"{KEY_BYTES[algorithm]} bytes, no PEM; make one with: lunapass config key"
            )
        return
    try:
        key = get_default_algorithms()[algorithm].prepare_key(text)
        if not isinstance(key, KINDS[algorithm]):
            raise ValueError("unsupported key type, or a private key")
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
            raise ValueError("too short")
    except Exception as error:  # the parsers raise various types for invalid keys
        raise ConfigError(
            f"{place}: does not fit {algorithm}; give the relying party's public key in PEM: RSA of"
            f" {MIN_RSA_BITS} bits or more, P-256 or Ed25519"
        ) from error
