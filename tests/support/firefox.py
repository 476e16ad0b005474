"""Firefox without a screen, driven by WebDriver BiDi: Playwright drives no released Firefox."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.browser import SHOTS
from tests.support.waiting import wait_for

PREFERENCES = """
user_pref("media.navigator.streams.fake", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("app.normandy.enabled", false);
user_pref("app.update.auto", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("services.settings.server", "data:,");
"""
"""A fake camera without a permission prompt, and no traffic of the browser's own."""


class Firefox:
    """One window.

    Args:
        connection: connection to the browser's remote agent.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._sent = 0
        self._command("session.new", capabilities={})
        (tab,) = self._command("browsingContext.getTree")["contexts"]
        self._tab = tab["context"]

    def add_init_script(self, function: str) -> None:
        """Run a function before the scripts of each page."""
        self._command("script.addPreloadScript", functionDeclaration=function)

    def goto(self, address: str) -> None:
        """Open a page."""
        self._command("browsingContext.navigate", context=self._tab, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Evaluate an expression with a value that JSON can represent."""
        answer = self._command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify([await ({expression})]))()",
            target={"context": self._tab},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])[0]

    def shoot(self, name: str) -> None:
        """Save a screenshot."""
        shot = self._command("browsingContext.captureScreenshot", context=self._tab)
        SHOTS.mkdir(parents=True, exist_ok=True)
        (SHOTS / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    def _command(self, method: str, **parameters: Any) -> Any:
        self._sent += 1
        self._connection.send(
            json.dumps({"id": self._sent, "method": method, "params": parameters})
        )
        while (message := json.loads(self._connection.recv(timeout=60))).get("id") != self._sent:
            pass  # an event
        assert message["type"] == "success", message
        return message["result"]


@contextlib.contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """Run Firefox with its fake camera until the block ends; the test skips if there is none."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("no Firefox on this machine (Debian package firefox-esr)")
    profile.mkdir()
    (profile / "user.js").write_text(PREFERENCES)
    command = [path, "--headless", "--no-remote", "--profile", str(profile)]
    with (profile / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--remote-debugging-port=0"], stdout=log, stderr=log)
    try:
        address = profile / "WebDriverBiDiServer.json"
        wait_for(address.is_file)
        port = json.loads(address.read_text())["ws_port"]
        with connect(f"ws://127.0.0.1:{port}/session", max_size=None) as connection:
            yield Firefox(connection)
    finally:
        process.terminate()
        process.wait(timeout=30)
