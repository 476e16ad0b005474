"""The example programs of the integration guide that verify tokens, and tokens for them."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.config.luna_pass import JwtSection
from shared.signing import Signer

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
COMMANDS = {
    "python": [sys.executable, str(EXAMPLES / "verify.py")],
    "node": ["node", str(EXAMPLES / "verify.mjs")],
    "go": ["go", "run", *(str(EXAMPLES / name) for name in ("verify.go", "verify_main.go"))],
}
Run = Callable[..., subprocess.CompletedProcess[str]]


def assert_refused(answer: subprocess.CompletedProcess[str], reason: str = "") -> None:
    """Check that the program gave a reason; a crash would give status 1, too."""
    assert answer.returncode == 1
    (line, *_) = [line for line in answer.stderr.splitlines() if line.startswith("refused: ")]
    assert reason in line
    assert "accepted" not in answer.stdout


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    details = {"faceFramePosition": position(160, 120, 240, 240)}
    good = {"isOk": True, "errors": [], "bestshot": "", "details": details, "iss": "lunapass"}
    return {**good, "iat": now, "exp": now + 300, "jti": "j" * 32, "sid": "5" * 32, **changed}


def position(x: int, y: int, width: int, height: int) -> dict[str, Any]:
    """Return a face in a frame of 640 x 480."""
    return {
        "faceRect": {"x": x, "y": y, "width": width, "height": height},
        "frameRect": {"x": 0, "y": 0, "width": 640, "height": 480},
        "margins": [0, 0, 0, 0],
    }


def sign(values: dict[str, Any], **section: Any) -> str:
    return Signer(JwtSection.model_validate({"key": SECRET, **section})).sign(values)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
