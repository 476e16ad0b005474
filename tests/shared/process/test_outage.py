"""An outage gives two lines in the log."""

from __future__ import annotations

import logging

from shared.process.outage import Outage
from tests.support.log import logged


def test_an_outage_is_logged_when_it_starts_and_when_it_ends() -> None:
    """Each line appears once, however many uses fail or succeed."""
    with logged("outages", logging.INFO) as lines:
        outage = Outage(logging.getLogger("outages"), "store: down", "store: back")
        for works in (True, False, False, True, True, False):
            if works:
                outage.worked()
            else:
                outage.failed("no answer")
            assert outage.ongoing is not works
    messages = [(line["level"], line["message"]) for line in lines]
    down, back = ("error", "store: down: no answer"), ("warning", "store: back")
    assert messages == [down, back, down]
