"""The limit on open files is raised or reported, and its exhaustion is detected."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.service import ROOT

PRELUDE = """
import json, logging, os, resource, sys, time
from gateway.web.descriptors import Descriptors, make_room
from shared.config.service import Config
logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
def limited(soft, hard, **limits):
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    config = {"LIMITS": limits, "WORKERS": {"count": 1}}
    room = make_room(Config.model_validate(config))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    print(json.dumps([room.connections, room.sockets, soft]))
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python in its own process, with its own limits."""
    command = [sys.executable, "-c", PRELUDE + code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_the_limit_is_raised_as_far_as_allowed() -> None:
    """A soft limit of 1024 is raised if the hard limit allows more."""
    done = run("limited(256, 4096, connections=1000)")
    assert json.loads(done.stdout) == [1000, 1256, 4096]
    assert "WARNING" not in done.stderr


def test_a_sufficient_limit_is_left_alone() -> None:
    """Nothing is logged."""
    done = run("limited(2048, 4096, connections=1000)")
    assert json.loads(done.stdout) == [1000, 1256, 2048]
    assert done.stderr == ""


def test_a_low_limit_is_reported_with_figures() -> None:
    """What fits, what was wanted, and what would suffice."""
    done = run("limited(256, 400, connections=1000)")
    connections, sockets, bound = json.loads(done.stdout)
    assert 200 < connections < sockets < 400 == bound
    assert f"ulimit -n is 400: room for {connections} connections" in done.stderr
    assert "LIMITS.connections = 1000" in done.stderr


def test_a_tiny_limit_prevents_the_start() -> None:
    """A gateway that cannot serve any client does not start."""
    done = run("limited(60, 60)")
    assert done.returncode == 1
    assert "ResourceError: ulimit -n is 60" in done.stderr


EXHAUST = """
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
watch, taken = Descriptors(), []
now = time.monotonic()
watch.look(now)
seen = [watch.exhausted]
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for tenth in range(1, 1201):
    watch.look(now + tenth / 10)
    seen.append(watch.exhausted)
for descriptor in taken:
    os.close(descriptor)
watch.look(now + 200)
print(json.dumps([seen[0], all(seen[10:]), watch.exhausted]))
"""


def test_exhausted_descriptors_are_detected() -> None:
    """It takes at most a second, is logged once a minute, and ends when one is free again."""
    done = run(EXHAUST)
    assert json.loads(done.stdout) == [False, True, False]
    assert done.stderr.count("ERROR no file descriptor is left") == 2
