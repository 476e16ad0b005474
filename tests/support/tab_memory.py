"""Memory of the kiosk page after many checks in one tab of Chromium.

``python -m tests.support.tab_memory CHECKS`` leads the page, in kiosk mode, through accepted and
refused checks, and prints its memory ten times.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.browser import Kiosk, browsing
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg, filming

CHECKS = 500
SETTINGS = "[LIMITS]\nlivenessRefusals = 1"
QUERY = "?kiosk=1&restart=0.2&idle=0&sound=0"
STAMPS = (30, 1)
"""Numbers of a live frame, and of one that is not."""
LEAD_TO_END = """async () => {
    const screen = async (name) => {
        while (document.body.dataset.screen !== name) {
            await new Promise((done) => setTimeout(done, 20));
        }
    };
    await screen("start");
    document.getElementById("begin").click();
    await screen("end");
    return document.body.dataset.outcome;
}"""
METRICS = {
    "JSHeapUsedSize": "bytes of JavaScript",
    "Nodes": "nodes",
    "JSEventListeners": "listeners",
}


def measured(session: Any) -> str:
    """Return the page's memory after a garbage collection."""
    session.send("HeapProfiler.collectGarbage")
    found = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    return ", ".join(f"{found[name]:,.0f} {words}" for name, words in METRICS.items())


def main(checks: int) -> None:
    """Run the checks."""
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        camera = FakeCamera(Path(folder) / "camera.mjpeg", filmed_jpeg(1, 1))
        with filming(SETTINGS) as service, browsing(camera) as browser:
            kiosk = Kiosk(browser, service, QUERY)
            session = kiosk.page.context.new_cdp_session(kiosk.page)
            session.send("Performance.enable")
            kiosk.page.wait_for_selector("#begin:enabled")
            for check in range(1, checks + 1):
                camera.show(filmed_jpeg(1, STAMPS[check % 2]))
                outcomes[kiosk.page.evaluate(LEAD_TO_END)] += 1
                if check % max(1, checks // 10) == 0:
                    print(f"{check} checks {dict(outcomes)}: {measured(session)}", flush=True)
            assert kiosk.faults == [], kiosk.faults


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else CHECKS)
