"""One fuzzer process: ``python -m tests.fuzz.fuzz TARGET [libFuzzer options and corpora]``.

Coverage of ``shared`` guides the mutations (atheris, libFuzzer). Findings are exceptions that a
target does not name, and inputs that take more than a few seconds or more memory than allowed.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["shared"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz one target."""
    name, *options = sys.argv[1:]
    target = TARGETS[name]
    atheris.Setup([sys.argv[0], *options], target)
    atheris.Fuzz()


main()
