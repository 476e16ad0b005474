"""Runs the questions of plugins, with limits on time and size; errors count as no answer."""

import asyncio
import logging

from aggregator.plugins.base import NoAnswer, Question

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 16_384


def at_once(question: Question) -> bytes | None:
    """Return the answer if it is available without waiting, otherwise None."""
    try:
        answer = question.at_once()
    except Exception:
        log.exception("question of %s failed", question.asker)
        return None
    return answer if isinstance(answer, bytes) and len(answer) <= MAX_ANSWER_BYTES else None


async def answer_to(question: Question) -> bytes | None:
    """Return the answer to a question; None after a timeout or an error."""
    try:
        async with asyncio.timeout(question.seconds):
            answer = await question.ask()
    except TimeoutError:
        log.error("no answer to the question of %s in %g s", question.asker, question.seconds)
        return None
    except NoAnswer:
        return None
    except Exception:
        log.exception("question of %s failed", question.asker)
        return None
    if not isinstance(answer, bytes) or len(answer) > MAX_ANSWER_BYTES:
        what = f"{len(answer)} bytes" if isinstance(answer, bytes) else type(answer).__name__
        log.error(
            "the answer to the question of %s is %s; it must be bytes, at most %d",
            question.asker,
            what,
            MAX_ANSWER_BYTES,
        )
        return None
    return answer
