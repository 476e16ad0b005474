"""What the relying party may know about a session."""

import json
from dataclasses import dataclass
from typing import Any

OVERHEAD_BYTES = 500
"""Memory of a remembered result besides its texts."""


@dataclass(frozen=True)
class SessionReport:
    """A session's start claims, as JSON, and the text of RESULT once its client may have it."""

    start: str
    result: str | None

    def body(self, session: str) -> dict[str, Any]:
        """Return it as JSON values."""
        state = "undecided" if self.result is None else "decided"
        answer = {} if self.result is None else json.loads(self.result)["body"]
        return {"session": session, "state": state, "start": json.loads(self.start), **answer}

    @property
    def size(self) -> int:
        """Bytes that it needs in memory."""
        return OVERHEAD_BYTES + len(self.start) + len(self.result or "")
