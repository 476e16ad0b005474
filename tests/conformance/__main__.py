"""``python -m tests.conformance WSTEST``: run Autobahn's suite against the gateway's endpoint."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shared.wire.curve import write_keys
from tests.conformance.cases import CASES, EXPLAINED, summarise
from tests.support.ports import free_port
from tests.support.service import KEY, ROOT

AGENT = "gateway"


def settings(directory: Path, port: int) -> Path:
    """Write the echo gateway's configuration; section 9 of the suite sends messages of 16 MB."""
    path = directory / "config.toml"
    path.write_text(
        f"""
[LUNA_PASS]
host = "127.0.0.1"
port = {port}
[LUNA_PASS.JWT]
key = "{KEY}"
[TRANSPORT]
runtimeDirectory = "{directory}/run"
[LIMITS]
frameBytes = 33554432
bytesPerSecond = 1000000000.0
bytesPerAddress = 1000000000.0
framePixels = 76800
handshakesPerSecond = 10000.0
handshakesPerAddress = 10000.0
queuedBytes = 67108864
{write_keys(directory / "keys")}
"""
    )
    return path


def await_port(port: int) -> None:
    """Wait until a server listens."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the echo gateway does not listen")


def run_suite(wstest: str, directory: Path) -> dict[str, dict[str, str]]:
    """Run the suite; return the index of its report."""
    port = free_port()
    echo = subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.echo", str(settings(directory, port))], cwd=ROOT
    )
    try:
        await_port(port)
        specification = {
            "outdir": str(directory / "report"),
            "servers": [{"agent": AGENT, "url": f"ws://127.0.0.1:{port}/ws"}],
            "cases": CASES,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        (directory / "spec.json").write_text(json.dumps(specification))
        subprocess.run(
            [wstest, "-m", "fuzzingclient", "-s", str(directory / "spec.json")],
            stdout=subprocess.DEVNULL,
            check=True,
        )
    finally:
        echo.kill()
        echo.wait()
    index: dict[str, dict[str, dict[str, str]]] = json.loads(
        (directory / "report" / "index.json").read_text()
    )
    return index[AGENT]


def main() -> int:
    directory = Path(tempfile.mkdtemp(prefix="lp-conformance-"))
    results = run_suite(sys.argv[1], directory)
    summary = summarise(results)
    print(f"{len(results)} cases: {dict(summary.counts)}; report in {directory}/report")
    for case, outcome in sorted(summary.explained.items()):
        print(f"  {case}: {outcome}: {EXPLAINED[case][1]}")
    for case, outcome in sorted(summary.unexplained.items()):
        print(f"  {case}: {outcome}, unexplained")
    print("unexplained:", len(summary.unexplained))
    return 1 if summary.unexplained or not results else 0


sys.exit(main())
