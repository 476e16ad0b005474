"""Only the adapters use undocumented parts of ``websockets``, and its version is bounded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from lunapass_client import websocket_adapter as client_adapter
from shared.wire import websocket_adapter as adapter
from tests.support.bounds import assert_next_major_is_excluded

ROOT = Path(__file__).parents[3]
DOCUMENTED = {
    "asyncio.client",
    "asyncio.server",
    "datastructures",
    "exceptions",
    "frames",
    "http11",
    "server",
    "sync.client",
    "typing",
}
"""Modules of the library's reference."""
INTERNALS = {
    "broadcast",
    "close_socket",
    "close_timeout",
    "connection_lost",
    "connection_made",
    "data_received",
    "is_serving",
    "process_event",
    "protocol",
    "reader",
    "recv_messages",
    "send_data",
}
"""Undocumented names that the adapters use."""


def product() -> Iterator[tuple[str, ast.Module]]:
    """Yield every module that could use the library, except the adapters."""
    adapters = {Path(str(each.__file__)) for each in (adapter, client_adapter)}
    for package in ("gateway", "shared", "loadtest", "lunapass", "lunapass_client"):
        for file in sorted((ROOT / package).rglob("*.py")):
            text = file.read_text()
            if file not in adapters and "websocket" in text:
                yield str(file.relative_to(ROOT)), ast.parse(text)


def test_the_library_has_an_upper_bound() -> None:
    """Its next major version is not installed before this file is checked."""
    assert_next_major_is_excluded("websockets")


def test_only_the_adapters_use_undocumented_parts() -> None:
    """These are modules of the library and attributes of its objects."""
    found = []
    for name, tree in product():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("websockets."):
                module = str(node.module).removeprefix("websockets.")
                found += [f"{name}: {module}"] * (module not in DOCUMENTED)
                found += [f"{name}: {each.name}" for each in node.names if each.name in INTERNALS]
            elif isinstance(node, ast.Attribute) and node.attr in INTERNALS:
                found.append(f"{name}: {node.attr}")
    assert found == []
