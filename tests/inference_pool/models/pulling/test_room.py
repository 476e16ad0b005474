"""Workers do not import the code that fetches and builds networks."""

from __future__ import annotations

import subprocess
import sys


def test_a_worker_imports_no_code_of_pulling() -> None:
    """It imports neither the folder nor the package onnx, which would use memory in each worker."""
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, inference_pool.worker, inference_pool.onnx.backend\n"
            "print([name for name in sys.modules if 'pulling' in name or name == 'onnx'])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "[]\n"
