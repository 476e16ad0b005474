"""CurveZMQ on the lines between roles: each end has a key pair and proves its role to the other.

A server that knows only its own key would let in every client that knows its public key, so the
server asks a ``Guard`` which public key may connect (ZAP, RFC 27). The keys belong to roles: one
pair for each role, of which a role holds its own secret and the other roles' public keys. Pairs
that the configuration does not name are made at the start of the service (``completed``).
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from pathlib import Path

import zmq
from pydantic import SecretStr
from zmq.utils import z85

from shared.config.service import TransportKeysSection
from shared.errors import ConfigError, ResourceError
from shared.text_files import read_text
from shared.wire.lines import ROLES

log = logging.getLogger(__name__)

PLACE = "[TRANSPORT.KEYS]"
HINT = "make keys with: lunapass config key --transport DIRECTORY"
HANDSHAKE_MILLISECONDS = 5000
"""For a peer to prove who it is; libzmq's default of 30 s would keep a silent one longer."""
_NO_KEYS = TransportKeysSection()
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_ZAP_ADDRESS = "inproc://zeromq.zap.01"


def write_keys(directory: Path) -> str:
    """Make a key pair for each role, and write the secret ones into files that only we may read.

    Args:
        directory: where to write them; it is made where there is none.

    Returns:
        The section of the configuration that names them, as TOML.

    Raises:
        ResourceError: a file is there already, or cannot be written.
    """
    lines = [PLACE]
    paths = {role: directory.absolute() / f"{role}.key" for role in ROLES}
    if present := [str(path) for path in paths.values() if path.exists()]:
        raise ResourceError(f"{', '.join(present)}: there already; give another directory")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for role, path in paths.items():
            public, secret = zmq.curve_keypair()
            with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
                file.write(secret + b"\n")
            lines += [f'{role}Public = "{public.decode()}"', f'{role}Secret = "file:{path}"']
    except OSError as error:
        raise ResourceError(
            f"{error.filename}: {error.strerror}; give a directory that is writable"
        ) from error
    return "\n".join(lines) + "\n"


def with_files_read(keys: TransportKeysSection) -> TransportKeysSection:
    """Put the content of the key files into the section, in place of their paths.

    Raises:
        ConfigError: a file cannot be read, or others may read it too.
    """
    names = [f"{role}Secret" for role in ROLES]
    return keys.model_copy(
        update={name: SecretStr(_text(getattr(keys, name), name)) for name in names}
    )


def _text(secret: SecretStr, name: str) -> str:
    """Return a secret key, from its file where it has one."""
    text = secret.get_secret_value()
    if not text.startswith("file:"):
        return text
    path = Path(text.removeprefix("file:"))
    key = read_text(path, f"{PLACE} {name}", advice=HINT).strip()
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{PLACE} {name}: file {path} has mode {mode:04o}, so others may read or change it; "
            f"chmod 0600 {path}"
        )
    return key


def completed(
    keys: TransportKeysSection, running: TransportKeysSection = _NO_KEYS
) -> TransportKeysSection:
    """Add a key pair for each role for which the configuration names no key.

    Args:
        keys: those of the configuration, key files read.
        running: those of roles that may be running. Their pairs are used again: a role that starts
            with another pair could not connect to them.
    """
    pairs: dict[str, object] = {}
    for role in ROLES:
        pairs |= _pair(keys, role) or _pair(running, role) or _new_pair(role)
    return keys.model_copy(update=pairs)


def _pair(keys: TransportKeysSection, role: str) -> dict[str, object]:
    """Return the two keys of a role by their names in the section; empty if it has neither."""
    pair = {name: getattr(keys, name) for name in (f"{role}Public", f"{role}Secret")}
    return pair if pair != {name: getattr(_NO_KEYS, name) for name in pair} else {}


def _new_pair(role: str) -> dict[str, object]:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    return {f"{role}Public": public, f"{role}Secret": SecretStr(secret)}


def own_pair(keys: TransportKeysSection, role: str) -> tuple[bytes, bytes]:
    """Return a role's public and secret key.

    Raises:
        ConfigError: there is no secret key, or it is not that of the public key.
    """
    name = f"{role}Secret"
    secret = _text(getattr(keys, name), name)
    if not secret:
        raise _missing(name, f"this {role}")
    try:
        public = zmq.curve_public(secret.encode("ascii"))
    except (ValueError, zmq.ZMQError) as error:
        raise ConfigError(f"{PLACE} {name}: holds no CurveZMQ key; {HINT}") from error
    if public != public_key(keys, role):
        raise ConfigError(f"{PLACE} {name}: is not the key of {role}Public; correct either")
    return public, secret.encode("ascii")


def public_key(keys: TransportKeysSection, role: str) -> bytes:
    """Return a role's public key.

    Raises:
        ConfigError: there is none.
    """
    name = f"{role}Public"
    text: str = getattr(keys, name)
    if not text:
        raise _missing(name, "the other end of a line")
    return text.encode("ascii")


def _missing(name: str, user: str) -> ConfigError:
    """Describe a key that a role lacks, and how it gets one."""
    return ConfigError(
        f"{PLACE} {name}: is empty, but {user} needs it; start the role with its part (lunapass "
        f"config parts DIRECTORY, then --part), which has keys made for it, or {HINT}"
    )


def secure_server(
    socket: zmq.Socket[bytes], keys: TransportKeysSection, role: str, most_bytes: int
) -> None:
    """Let a socket accept only clients that the process's ``Guard`` lets in.

    Args:
        socket: not bound yet.
        keys: the keys.
        role: the server's.
        most_bytes: greatest message. libzmq makes room for one before a peer has proved anything.
    """
    _, secret = own_pair(keys, role)
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
    socket.setsockopt(zmq.ZAP_DOMAIN, role.encode())
    # Without this, a guard that does not answer would let everybody in.
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MILLISECONDS)
    socket.setsockopt(zmq.MAXMSGSIZE, most_bytes)


def secure_client(
    socket: zmq.Socket[bytes], keys: TransportKeysSection, role: str, server: str
) -> None:
    """Let a socket speak only to the server that holds a role's secret key."""
    public, secret = own_pair(keys, role)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
    socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
    socket.setsockopt(zmq.CURVE_SERVERKEY, public_key(keys, server))


class Guard:
    """Says which clients may connect to this process's server: those with one public key.

    It answers on the running loop, once for each connection and never for a message.

    Args:
        domain: the server's role.
        public: public key of the clients.

    Raises:
        ResourceError: this process has a guard already.
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
        """Answer until there is no more question: the descriptor tells only of new ones."""
        while True:
            try:
                request = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._socket.send_multipart(self._answer(request))

    def _answer(self, request: list[bytes]) -> list[bytes]:
        """Answer one question, which libzmq asks: its parts are those of RFC 27.

        The address of a peer at a socket file is ``localhost:USER:GROUP:PROCESS``.
        """
        version, number, domain, address, _identity, mechanism, *credentials = request
        known = (domain, mechanism, credentials) == (self._domain, b"CURVE", [self._allowed])
        if known:
            return [version, number, b"200", b"OK", b"", b""]
        self._refused += 1
        if self._refused & (self._refused - 1) == 0:  # the 1st, 2nd, 4th, 8th ...
            log.warning(
                "a connection without the right key was refused",
                extra={"fields": {"address": address.decode(), "refused": self._refused}},
            )
        return [version, number, b"400", b"not allowed", b"", b""]

    def close(self) -> None:
        """Answer no more, so that nobody new is let in; a second call changes nothing."""
        if self._socket.closed:
            return
        self._loop.remove_reader(self._descriptor)
        # Closing alone frees the address a moment later, when another thread gets to it.
        self._socket.unbind(_ZAP_ADDRESS)
        self._socket.close(linger=0)
