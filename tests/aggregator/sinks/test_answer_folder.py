"""The folder of answers: those of an earlier process, and the markers of delivered ones."""

from __future__ import annotations

import os
from pathlib import Path

from aggregator.sinks.answer_folder import AnswerFolder, StoredAnswer

ACCEPTED, REFUSED = b'{"isOk": true}', b'{"isOk": false}'


def test_stored_answers_are_loaded_oldest_first_with_their_outcome(tmp_path: Path) -> None:
    """The next process knows which were accepted; a damaged file counts as refused."""
    folder = AnswerFolder(tmp_path)
    for age, (session, answer) in enumerate(
        [("c", REFUSED), ("a", ACCEPTED), ("d", b"{"), ("b", b"[]"), ("done", ACCEPTED)]
    ):
        folder.add(session, answer)
        os.utime(tmp_path / "0" / f"{session}.json", (1000 + age, 1000 + age))
    folder.finish("done")
    folder.close()
    assert AnswerFolder(tmp_path).stored() == [
        StoredAnswer("c", len(REFUSED), False),
        StoredAnswer("a", len(ACCEPTED), True),
        StoredAnswer("d", 1, False),
        StoredAnswer("b", 2, False),
    ]


def test_markers_are_removed_by_age(tmp_path: Path) -> None:
    """A marker shows that an answer was delivered; its content is removed immediately."""
    folder = AnswerFolder(tmp_path)
    folder.add("a", ACCEPTED)
    folder.finish("a")
    marker = tmp_path / "0" / "a.done"
    os.utime(marker, (1000, 1000))
    folder.remove_markers(1000)
    assert folder.knows("a")
    assert marker.stat().st_size == 0
    folder.remove_markers(1001)
    assert not folder.knows("a")
