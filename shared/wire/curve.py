"""CurveZMQ on the lines between roles: each end has a key pair and proves its role to the other.

A CurveZMQ server on its own accepts every client that knows its public key, so it asks a ``Guard``
which client keys may connect (ZAP, RFC 27). There is one key pair per role; a role holds its own
secret key and the public keys of the other roles. Pairs that the configuration does not name are
generated when the service starts (``completed``).
"""

import asyncio
import logging
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import zmq
from pydantic import SecretStr
from zmq.utils import z85

from shared.config.service import TransportKeysSection
from shared.errors import ConfigError, ResourceError
from shared.text_files import named_file, value_or_file
from shared.wire.lines import ROLES

log = logging.getLogger(__name__)

PLACE = "[TRANSPORT.KEYS]"
HINT = "make keys with: lunapass config key --transport DIRECTORY"
HANDSHAKE_MILLISECONDS = 5000
"""Time for a peer to authenticate. With libzmq's default of 30 s, silent peers pile up."""
_NO_KEYS = TransportKeysSection()
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_ZAP_ADDRESS = "inproc://zeromq.zap.01"


def write_keys(directory: Path) -> str:
    """Generate a key pair for each role and write the secret keys to files of mode 0600.

    Returns:
        The section of the configuration that names them, as TOML.

    Raises:
        ResourceError: a file exists already or cannot be written.
    """
    lines = [PLACE]
    paths = {role: directory.absolute() / f"{role}.key" for role in ROLES}
    if present := [str(path) for path in paths.values() if path.exists()]:
        raise ResourceError(f"{', '.join(present)}: exists already; give another directory")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for role, path in paths.items():
            public, secret = zmq.curve_keypair()
            with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
                file.write(secret + b"\n")
            lines += [f'{role}Public = "{public.decode()}"', f'{role}Secret = "file:{path}"']
    except OSError as error:
        raise ResourceError(
            f"{error.filename}: {error.strerror}; give a writable directory"
        ) from error
    return "\n".join(lines) + "\n"


def resolve_transport_keys(
    keys: TransportKeysSection, roles: Iterable[str] = ROLES
) -> TransportKeysSection:
    """Replace each ``file:PATH`` of these roles' secret keys by the content of the file.

    Raises:
        ConfigError: a file cannot be read, or other users have access to it.
    """
    names = [f"{role}Secret" for role in roles]
    return keys.model_copy(
        update={name: SecretStr(_text(getattr(keys, name), name)) for name in names}
    )


def _text(secret: SecretStr, name: str) -> str:
    """Return a secret key, read from its file if it names one."""
    text = secret.get_secret_value()
    path = named_file(text)
    if path is None:
        return text
    key = value_or_file(text, f"{PLACE} {name}", advice=HINT)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{PLACE} {name}: file {path} has mode {mode:04o}, so other users have access to it; "
            f"run: chmod 0600 {path}"
        )
    return key


def completed(
    keys: TransportKeysSection, running: TransportKeysSection = _NO_KEYS
) -> TransportKeysSection:
    """Add a key pair for each role without one in the configuration.

    Pairs of roles that may be running are reused: a role with a new pair could not connect to
    them.
    """
    pairs: dict[str, object] = {}
    for role in ROLES:
        pairs |= _pair(keys, role) or _pair(running, role) or _new_pair(role)
    return keys.model_copy(update=pairs)


def _pair(keys: TransportKeysSection, role: str) -> dict[str, object]:
    """Return both keys of a role by their names in the section; empty if it has neither."""
    pair = {name: getattr(keys, name) for name in (f"{role}Public", f"{role}Secret")}
    return pair if pair != {name: getattr(_NO_KEYS, name) for name in pair} else {}


def _new_pair(role: str) -> dict[str, object]:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    return {f"{role}Public": public, f"{role}Secret": SecretStr(secret)}


def own_pair(keys: TransportKeysSection, role: str) -> tuple[bytes, bytes]:
    """Return a role's public and secret key.

    Raises:
        ConfigError: the secret key is missing or does not belong to the public key.
    """
    name = f"{role}Secret"
    secret = _text(getattr(keys, name), name)
    if not secret:
        raise _missing(name, f"this {role}")
    try:
        public = zmq.curve_public(secret.encode("ascii"))
    except (ValueError, zmq.ZMQError) as error:
        raise ConfigError(f"{PLACE} {name}: is not a CurveZMQ key; {HINT}") from error
    if public != public_key(keys, role):
        raise ConfigError(f"{PLACE} {name}: does not belong to {role}Public; correct one of them")
    return public, secret.encode("ascii")


def public_key(keys: TransportKeysSection, role: str) -> bytes:
    """Return a role's public key.

    Raises:
        ConfigError: it is missing.
    """
    name = f"{role}Public"
    text: str = getattr(keys, name)
    if not text:
        raise _missing(name, "the other end of a line")
    return text.encode("ascii")


def _missing(name: str, user: str) -> ConfigError:
    return ConfigError(
        f"{PLACE} {name}: is empty, but {user} needs it; start the role with its part (lunapass "
        f"config parts DIRECTORY, then --part), which contains generated keys, or {HINT}"
    )


def secure_server(
    socket: zmq.Socket[bytes], keys: TransportKeysSection, role: str, max_bytes: int
) -> None:
    """Make a socket accept only clients that the process's ``Guard`` allows; it is not bound yet.

    libzmq allocates a message of up to ``max_bytes`` before a peer has authenticated.
    """
    _, secret = own_pair(keys, role)
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
    socket.setsockopt(zmq.ZAP_DOMAIN, role.encode())
    # Without this, libzmq accepts every client while no guard answers.
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MILLISECONDS)
    socket.setsockopt(zmq.MAXMSGSIZE, max_bytes)


def secure_client(
    socket: zmq.Socket[bytes], keys: TransportKeysSection, role: str, server: str
) -> None:
    """Make a socket connect only to the server that holds a role's secret key."""
    public, secret = own_pair(keys, role)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
    socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
    socket.setsockopt(zmq.CURVE_SERVERKEY, public_key(keys, server))


class Guard:
    """Allows only clients with one public key to connect to this process's server.

    libzmq asks it once per connection, not per message; it answers on the running loop.

    Raises:
        ResourceError: this process already has a guard.
    """

    def __init__(self, domain: str, public: bytes) -> None:
        self._domain = domain.encode()
        self._allowed = z85.decode(public)
        self._refused = 0
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REP)
        try:
            self._socket.bind(_ZAP_ADDRESS)
        except zmq.ZMQError as error:
            self._socket.close(linger=0)
            raise ResourceError(f"{_ZAP_ADDRESS}: {error.strerror}") from error
        self._loop = asyncio.get_running_loop()
        self._descriptor: int = self._socket.getsockopt(zmq.FD)
        self._loop.add_reader(self._descriptor, self._drain)

    def _drain(self) -> None:
        """Answer until no request is left: the descriptor is edge-triggered."""
        while True:
            try:
                request = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._socket.send_multipart(self._answer(request))

    def _answer(self, request: list[bytes]) -> list[bytes]:
        """Answer one ZAP request (RFC 27).

        The address of a peer on a socket file is ``localhost:USER:GROUP:PROCESS``.
        """
        version, number, domain, address, _identity, mechanism, *credentials = request
        known = (domain, mechanism, credentials) == (self._domain, b"CURVE", [self._allowed])
        if known:
            return [version, number, b"200", b"OK", b"", b""]
        self._refused += 1
        if self._refused & (self._refused - 1) == 0:  # the 1st, 2nd, 4th, 8th ...
            log.warning(
                "connection refused: wrong key",
                extra={"fields": {"address": address.decode(), "refused": self._refused}},
            )
        return [version, number, b"400", b"not allowed", b"", b""]

    def close(self) -> None:
        """Stop answering, so no new client can connect. May be called twice."""
        if self._socket.closed:
            return
        self._loop.remove_reader(self._descriptor)
        # close() alone frees the address later, in another thread; a new guard could not bind.
        self._socket.unbind(_ZAP_ADDRESS)
        self._socket.close(linger=0)
