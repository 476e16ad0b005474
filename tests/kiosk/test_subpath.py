"""The page under a path of another site, through the nginx configuration of docs/browser.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machines.machine import wait_until
from tests.machines.proxies import nginx_site
from tests.support.browser import Kiosk
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg, filming
from tests.support.service import ROOT, Service

LIVE = 30


def location(port: int) -> str:
    """The example's block, for a service at a port."""
    (example,) = re.findall(
        r"```nginx\n(.*?)```", (ROOT / "docs/browser.md").read_text(), re.DOTALL
    )
    assert "127.0.0.1:8321/" in example
    return str(example.replace("8321", str(port)))


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUNAPASS__LUNA_PASS__TRUSTEDPROXIES", '["127.0.0.1"]')
        with filming() as started:
            yield started


@pytest.mark.parametrize("query", ["", "?lang=es"])
def test_a_page_under_a_path_connects_under_it(
    service: Service, browser: Any, stamps: FakeCamera, tmp_path: Path, query: str
) -> None:
    """A whole check runs, and no request leaves the path."""
    stamps.show(filmed_jpeg(1, LIVE))
    with nginx_site(tmp_path, location(service.port)) as port:
        site = Service(port, service.directory, service.process)
        wait_until(lambda: site.get("/liveness/readyz").status_code == 200, "nginx")
        asked: list[str] = []
        kiosk = Kiosk(browser, site, f"liveness/{query}", size=(540, 960))
        kiosk.page.on("request", lambda request: asked.append(request.url))
        kiosk.page.on("websocket", lambda socket: asked.append(socket.url))
        kiosk.page.reload()
        kiosk.start()
        kiosk.wait_end("done")
        assert f"ws://127.0.0.1:{port}/liveness/ws" in asked
        outside = [url for url in asked if "/liveness/" not in url and not url.startswith("data:")]
        assert outside == []
        assert kiosk.faults == []
