"""The real nginx and HAProxy with the example configurations, on a free port with TLS."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.ports import free_port
from tests.support.service import ROOT
from tests.support.waiting import wait_for


def certificate(directory: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1; return its file and that of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public, private = directory / "lunapass.pem", directory / "lunapass.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return public, private


def fitted(example: Path, replacements: dict[str, str]) -> str:
    """Return the example with the test's addresses.

    All of them must occur, so that examples stay true.
    """
    text = example.read_text()
    for old, new in replacements.items():
        assert old in text, f"{example.name} has no {old!r}"
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def proxy(kind: str, directory: Path, cells: Sequence[int]) -> Iterator[int]:
    """Run a proxy before cells at the given ports; yield the proxy's port."""
    if shutil.which(kind) is None:
        pytest.skip(f"{kind} is not installed")
    port = free_port()
    public, private = certificate(directory)
    addresses = {f"127.0.0.1:840{n}": f"127.0.0.1:{cell}" for n, cell in enumerate(cells, 1)}
    if kind == "nginx":
        command = _nginx(directory, port, addresses, public, private)
    else:
        command = _haproxy(directory, port, addresses, public, private)
    with _running(command, directory):
        yield port


@contextlib.contextmanager
def nginx_site(directory: Path, server: str, address: str = "127.0.0.1") -> Iterator[int]:
    """Run nginx with the contents of a plain ``server`` block at an address here.

    Yield its port, once it listens.
    """
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    port = free_port()
    site = f"server {{ listen {address}:{port};\n{server}\n}}\n"
    with _running(_nginx_command(directory, site), directory):
        wait_for(lambda: _listens(address, port))
        yield port


def _listens(address: str, port: int) -> bool:
    with contextlib.closing(socket.socket()) as caller:
        return caller.connect_ex((address, port)) == 0


@contextlib.contextmanager
def _running(command: Sequence[str], directory: Path) -> Iterator[None]:
    with (directory / "proxy.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)
        print((directory / "proxy.log").read_text()[-4000:])


def _nginx(
    directory: Path, port: int, addresses: dict[str, str], public: Path, private: Path
) -> list[str]:
    site = fitted(
        ROOT / "deploy/nginx/lunapass.conf",
        {
            **addresses,
            "listen 443": f"listen 127.0.0.1:{port}",
            "/etc/nginx/lunapass.pem": str(public),
            "/etc/nginx/lunapass.key": str(private),
        },
    )
    return _nginx_command(directory, site)


def _nginx_command(directory: Path, site: str) -> list[str]:
    (directory / "lunapass.conf").write_text(site)
    temporary = "".join(
        f"{name}_temp_path {directory}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = directory / "nginx.conf"
    main.write_text(
        f"daemon off; pid {directory}/pid; worker_processes 1; error_log stderr;\n"
        f"{'user root;' if os.geteuid() == 0 else ''} events {{ worker_connections 256; }}\n"
        f"http {{ access_log off; {temporary} include {directory}/lunapass.conf; }}\n"
    )
    return ["nginx", "-c", str(main), "-p", str(directory), "-e", "stderr"]


def _haproxy(
    directory: Path, port: int, addresses: dict[str, str], public: Path, private: Path
) -> list[str]:
    both = directory / "both.pem"
    both.write_bytes(public.read_bytes() + private.read_bytes())
    main = directory / "haproxy.cfg"
    main.write_text(
        fitted(
            ROOT / "deploy/haproxy/haproxy.cfg",
            {
                **addresses,
                "maxconn 20000": "maxconn 500",
                "bind :443": f"bind 127.0.0.1:{port}",
                "/etc/haproxy/lunapass.pem": str(both),
            },
        )
    )
    return ["haproxy", "-db", "-f", str(main)]
