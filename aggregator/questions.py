"""Asking the outside on behalf of a plugin: bounded in time and size, and never a fault."""

from __future__ import annotations

import asyncio
import logging

from aggregator.plugins.base import Question

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 16_384


def at_once(question: Question) -> bytes | None:
    """Get an answer that needs no waiting; None where there is none."""
    try:
        answer = question.at_once()
    except Exception:
        log.exception("no answer from outside")
        return None
    return answer if isinstance(answer, bytes) and len(answer) <= MAX_ANSWER_BYTES else None


async def answer_to(question: Question) -> bytes | None:
    """Get the answer to a question; None where there is none in time, for whatever reason."""
    try:
        async with asyncio.timeout(question.seconds):
            answer = await question.ask()
    except TimeoutError:
        log.error("no answer from outside within %g s", question.seconds)
        return None
    except Exception:
        log.exception("no answer from outside")
        return None
    if not isinstance(answer, bytes) or len(answer) > MAX_ANSWER_BYTES:
        log.error("an answer from outside is not at most %d bytes", MAX_ANSWER_BYTES)
        return None
    return answer
