"""Requests to the aggregator for sessions: each answer reaches everyone who waits for it."""

from __future__ import annotations

import asyncio

from gateway.sessions.handover import Recall
from gateway.state.identity import digest
from tests.support.quiet_links import QuietLink

QUESTION = ("0" * 32, digest("t"))


async def test_a_caller_that_gives_up_leaves_the_answer_to_the_other() -> None:
    """Of two clients with the same token, the one that waits longer gets the answer."""
    link = QuietLink()
    asked, recall = link.wanted, Recall(link)
    hasty, patient = (asyncio.create_task(recall.fetch(*QUESTION)) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    await asyncio.sleep(0)
    recall.answer(*QUESTION, None)
    assert await asyncio.wait_for(patient, 60) is None
    assert asked == [QUESTION]
    assert not recall._answers
    assert not recall._waiting


async def test_open_requests_are_repeated_to_a_new_aggregator() -> None:
    """Answered ones are not."""
    link = QuietLink()
    asked, recall = link.wanted, Recall(link)
    waiting = asyncio.create_task(recall.fetch(*QUESTION))
    await asyncio.sleep(0)
    recall.ask_again()
    assert asked == [QUESTION, QUESTION]
    recall.answer(*QUESTION, None)
    await waiting
    recall.ask_again()
    assert asked == [QUESTION, QUESTION]
