"""Session folders in FileLogger's format, made from a test's estimates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from shared.frame.checks import Rules, judge
from shared.frame.estimation import Estimate, Stage
from shared.session_log import FILE, estimate_json

RULES = Rules()
LATER = {
    Stage.QUALITY: ("quality",),
    Stage.HEAD_POSE: ("head_pose",),
    Stage.EYES: ("eyes",),
    Stage.MOUTH: ("mouth",),
    Stage.GLASSES: ("glasses",),
    Stage.AGS: ("ags",),
    Stage.LIVENESS: ("liveness",),
}


def as_a_worker(full: Estimate) -> Estimate:
    """Remove the measurements after the first failed stage."""
    for stage in Stage:
        full.stage = stage
        full.errors = judge(stage, full, RULES)
        if full.errors:
            break
    for stage, fields in LATER.items():
        for field in fields if stage > full.stage else ():
            setattr(full, field, None)
    return full


def write_session(
    parent: Path,
    number: int,
    frames: Sequence[Estimate],
    *,
    accepted: bool,
    torn: bool = False,
    files: Sequence[str | None] = (),
) -> Path:
    """Write a session's folder; each frame is judged as in a worker and may have a file."""
    folder = parent / f"{number:032x}"
    folder.mkdir(parents=True)
    lines: list[dict[str, object]] = [
        {"event": "opened", "session": folder.name, "at": 1.0, "mirrored": False}
        | {"client": {}, "version": "test"}
    ]
    named = zip(frames, files or [None] * len(frames), strict=True)
    for seq, (full, file) in enumerate(named, start=1):
        judged = as_a_worker(full)
        lines.append(
            {"event": "frame", "seq": seq, "at": 1.0 + seq, "file": file}
            | {"errors": list(judged.errors), "estimate": estimate_json(judged)}
        )
    ended = {"event": "ended", "at": 99.0, "accepted": accepted, "errors": [], "bestSeq": 0}
    lines.append(ended | {"frames": len(frames), "data": {}})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / FILE).write_text(text[:-20] if torn else text)
    return folder
