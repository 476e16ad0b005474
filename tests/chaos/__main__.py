"""``python -m tests.chaos SECONDS SEED``: exit with 1 on any violation."""

from __future__ import annotations

import contextlib
import io
import random
import sys

from tests.chaos.run import play


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 300.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else random.randrange(10**6)
    log = io.StringIO()
    with contextlib.redirect_stdout(log):
        report = play(seconds, seed)
    if report.violations:
        print(log.getvalue())
    print(*report.lines(), sep="\n")
    return 1 if report.violations else 0


sys.exit(main())
