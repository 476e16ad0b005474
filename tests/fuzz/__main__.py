"""``python -m tests.fuzz [TARGET=INPUTS ...]``: fuzz each target, print the counts, fail on a find.

Seeds are the corpora of ``tests/invalid`` and good input of each kind. The program prints the
folder with the findings; put them into ``tests/invalid`` with the error they must get.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.seeds import sow

COUNTS = {"protocol": 1_000_000, "image": 100_000, "message": 300_000, "configuration": 20_000}
OPTIONS = ("-timeout=5", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1")
LONGEST = {"protocol": 2048, "image": 4096, "message": 1024, "configuration": 2048}


def fuzz(target: str, inputs: int, folder: Path) -> int | None:
    """Fuzz a target; return the number of inputs, or None if there was a finding."""
    corpus = folder / target
    corpus.mkdir()
    sow(target, corpus)
    command = [
        *(sys.executable, "-m", "tests.fuzz.fuzz", target, *OPTIONS),
        *(f"-runs={inputs}", f"-max_len={LONGEST[target]}"),
        *(f"-artifact_prefix={folder}/{target}-found-", str(corpus)),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    done = re.search(r"Done (\d+) runs", ended.stderr)
    if ended.returncode != 0 or done is None:
        print(ended.stdout[-3000:], ended.stderr[-6000:])
        return None
    return int(done[1])


def main() -> int:
    wanted = dict(word.split("=") for word in sys.argv[1:]) or COUNTS
    folder = Path(tempfile.mkdtemp(prefix="lp-fuzz-"))
    found = 0
    for target, inputs in wanted.items():
        begun = time.monotonic()
        done = fuzz(target, int(inputs), folder)
        seconds = time.monotonic() - begun
        found += done is None
        outcome = f"found something, see {folder}" if done is None else f"{done:,} inputs, no find"
        print(f"{target}: {outcome} ({seconds:.0f} s)", flush=True)
    return 1 if found else 0


sys.exit(main())
