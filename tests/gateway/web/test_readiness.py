"""Answers of ``/readyz`` to a load balancer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest

from gateway.web.readiness import readiness

WELL = {"draining": False, "workers": 2, "wanted": 2, "aggregator": True}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "ready\n"),
        ({"workers": 3}, "ready\n"),
        ({"workers": 1}, "degraded: 1 of 2 workers\n"),
    ],
)
def test_it_is_ready_while_frames_can_be_judged(changed: dict[str, Any], text: str) -> None:
    """It is ready even with too few workers, which it reports."""
    answer = readiness(**(WELL | changed))
    assert (answer.status_code, answer.body.decode()) == (HTTPStatus.OK, text)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"draining": True}, "draining\n"),
        ({"workers": 0}, "no worker\n"),
        ({"aggregator": False}, "no aggregator\n"),
        (
            {"draining": True, "workers": 0, "aggregator": False},
            "draining, no worker, no aggregator\n",
        ),
    ],
)
def test_it_lists_everything_that_is_missing(changed: dict[str, Any], text: str) -> None:
    """Without any of these, no frame can be judged."""
    answer = readiness(**(WELL | changed))
    assert (answer.status_code, answer.body.decode()) == (HTTPStatus.SERVICE_UNAVAILABLE, text)
