"""/statistics and /metrics describe all processes, and only to this machine."""

from __future__ import annotations

import asyncio
import json
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from lunapass_client import Client
from shared import __version__
from shared.wire.protocol import Command
from tests.support.service import ROOT, UNPACED, Service, running
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import wait_for

FRAMES = 12
DEBUGGING = ("env", "LUNAPASS__LUNA_PASS__LOGLEVEL=2")

BURST = 8
HISTOGRAM = ("_bucket", "_sum", "_count")


@dataclass
class Played:
    """A service with a known history."""

    service: Service
    dropped: int

    @property
    def judged(self) -> int:
        return FRAMES + 1 + BURST - self.dropped


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    remembered = "resumeSeconds = 600.0\n"  # until the last test
    with running(UNPACED + remembered, wrapper=DEBUGGING) as started:
        history = Played(started, asyncio.run(play(started)))
        wait_for(lambda: accounts(started) == {history.judged})  # they are sent once a second
        yield history


def accounts(service: Service) -> set[float]:
    """How often workers and aggregator have reported their part of a frame."""
    name = "lunapass_step_seconds_count"
    steps = (("worker", "job"), ("aggregator", "judge"))
    return {service.metric(f'{name}{{role="{role}",step="{step}"}}') for role, step in steps}


async def play(service: Service) -> int:
    """Play an accepted session, one that its client ends, and one with a burst of frames.

    Returns:
        Number of frames that were dropped.
    """
    async with Client(service.url) as client:
        for number in range(FRAMES):
            await client.send_frame(stamped_jpeg(1, number))
            assert (await client.receive()).command is Command.STATUS
        await client.send_frame(stamped_jpeg(1, 30))
        await client.receive()
        assert (await client.receive()).body["isOk"]
    async with Client(service.url) as client:
        await client.send(Command.DISCONNECT)
        assert (await client.receive()).command is Command.RESULT
    burst = [stamped_jpeg(2, number) for number in range(BURST)]
    async with Client(service.url) as client:
        for frame in burst:
            await client.send_frame(frame)
        answers = [await client.receive() for _ in range(BURST)]
    return [answer.command for answer in answers].count(Command.DROPPED)


def test_statistics_match_the_history(played: Played) -> None:
    """Sessions, frames, codes and workers of a known history."""
    counts: dict[str, Any] = played.service.get("/statistics").json()
    assert counts["sessions"] == {"open": 3, "undecided": 1, "accepted": 1, "refused": 0, "left": 1}
    assert counts["frames"]["received"] == FRAMES + 1 + BURST
    assert counts["frames"]["judged"] == played.judged
    assert sum(counts["frames"]["dropped"].values()) == played.dropped
    assert counts["failedChecks"]["32"] == played.judged - 1
    assert counts["latencyMs"]["count"] == played.judged
    assert (
        0 < counts["latencyMs"]["p50"] <= counts["latencyMs"]["p95"] <= counts["latencyMs"]["p99"]
    )
    assert {worker["name"] for worker in counts["workers"]} == {"worker-0", "worker-1"}
    assert sum(worker["judged"] for worker in counts["workers"]) == played.judged
    assert {worker["state"] for worker in counts["workers"]} == {"idle"}
    assert counts["slots"] == {"total": 6, "free": 6}
    assert counts["aggregator"] == {"up": True}


def test_metrics_have_the_steps_of_every_role(played: Played) -> None:
    """One histogram family has gateway, aggregator and workers, and counts each run of a step."""
    families = {
        f.name: f for f in text_string_to_metric_families(played.service.get("/metrics").text)
    }
    counts = {
        (sample.labels["role"], sample.labels["step"]): sample.value
        for sample in families["lunapass_step_seconds"].samples
        if sample.name.endswith("_count")
    }
    judged = played.judged
    for step in ("queue", "decode", "dispatch", "estimate", "judge", "answer"):
        assert counts["gateway", step] == judged, step
    assert counts["gateway", "receive"] == judged + played.dropped
    assert counts["aggregator", "judge"] == judged
    assert counts["worker", "job"] == judged
    assert counts["worker", "faces"] == judged
    processes = {s.labels["process"] for s in families["lunapass_cpu_seconds"].samples}
    assert processes == {"gateway", "aggregator", "worker-0", "worker-1"}
    assert families["lunapass_aggregator_up"].samples[0].value == 1
    frames = {
        (s.labels["outcome"], s.labels["reason"]): s.value
        for s in families["lunapass_frames"].samples
    }
    assert frames["judged", ""] == judged
    assert sum(frames.values()) == judged + played.dropped
    losses = {s.labels["reason"]: s.value for s in families["lunapass_workers_lost"].samples}
    assert losses == dict.fromkeys(("dead", "gone", "silent", "stuck"), 0)  # from the start
    assert "lunapass_session_store_up" not in families  # without a session store it is not down


def test_metrics_describe_sessions_scores_and_the_process(played: Played) -> None:
    """Durations by outcome, every liveness score, version and start of the gateway."""
    text = played.service.get("/metrics").text
    values = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    for outcome, sessions in (("accepted", 1), ("left", 1), ("refused", 0)):
        assert values["lunapass_session_seconds_count", outcome] == sessions
    assert (
        0
        < values["lunapass_session_seconds_sum", "accepted"]
        < values["process_start_time_seconds",]
    )
    assert values["lunapass_liveness_score_count",] == played.judged
    below = [values["lunapass_liveness_score_bucket", f"{n / 20:g}"] for n in range(1, 21)]
    assert below == sorted(below)
    assert below[0] < below[-1] == played.judged
    assert values["lunapass_build_info", *sorted((__version__, platform.python_version()))] == 1
    assert values["process_cpu_seconds_total",] > 0
    assert not [name for name, *_ in values if name.endswith("_created")]


@pytest.mark.parametrize("path", ["/statistics", "/metrics"])
def test_metrics_are_closed_to_clients_of_a_proxy(played: Played, path: str) -> None:
    """This holds although the proxy itself is on this machine."""
    address = f"http://127.0.0.1:{played.service.port}{path}"
    answer = httpx.get(address, headers={"X-Forwarded-For": "192.0.2.1"}, trust_env=False)
    assert answer.status_code == 403
    assert "lunapass" not in answer.text


def test_each_verdict_is_logged_in_one_line(played: Played) -> None:
    """It has the session's id and figures, and why it was not accepted."""
    lines = (played.service.directory / "log").read_text().splitlines()
    decided = [json.loads(line) for line in lines if '"session decided"' in line]
    assert sorted(line["outcome"] for line in decided) == ["accepted", "left"]
    assert {line["frames"] for line in decided} == {0, FRAMES + 1}
    known = {"time", "level", "role", "message", "session", "outcome", "frames", "seconds"}
    for line in decided:
        why = {"codes", "hint"} if line["outcome"] == "left" else set()
        assert set(line) - {"score"} == known | why


def test_debugging_lines_follow_a_frame_through_the_roles(played: Played) -> None:
    """At level 2 the log has each stage of each frame, with session, number, codes and times."""
    text = (played.service.directory / "log").read_text()
    lines = [json.loads(line) for line in text.splitlines() if '"level": "debug"' in line]
    (accepted,) = (line for line in lines if line.get("accepted"))
    of_frame = {
        (line["role"].partition("-")[0], line["message"]): line
        for line in lines
        if (line["session"], line.get("seq")) == (accepted["session"], accepted["seq"])
    }
    assert set(of_frame) == {
        ("gateway", "frame received"),
        ("worker", "frame estimated"),
        ("aggregator", "frame judged"),
        ("gateway", "frame answered"),
    }
    estimated = of_frame["worker", "frame estimated"]
    assert (estimated["stage"], estimated["codes"]) == ("liveness", [])
    assert set(estimated["milliseconds"]) >= {"faces", "quality", "liveness"}
    opened = [line for line in lines if line["message"] == "session opened"]
    assert [line["plugins"] for line in opened] == 3 * [["Result"]]
    dropped = [line["reason"] for line in lines if line["message"] == "frame dropped"]
    assert dropped == played.dropped * ["replaced"]


def test_the_dashboard_queries_existing_series(played: Played) -> None:
    """Every series, role and step that a panel of the dashboard queries is exposed."""
    text = played.service.get("/metrics").text
    exposed = set(re.findall(r"^(lunapass_\w+)", text, re.M))
    exposed |= set(re.findall(r"^# TYPE (lunapass_\w+)", text, re.M))
    board = json.loads((ROOT / "deploy" / "grafana" / "lunapass.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"lunapass_\w+", query)}
    assert len(asked) > 10
    assert asked <= exposed
    counters = set(re.findall(r"^# TYPE (lunapass_\w+) counter", text, re.M))
    for query in queries:  # counters need a rate, gauges have none
        rated = set(re.findall(r"(?:rate|increase)\((lunapass_\w+)", query))
        assert not (set(re.findall(r"lunapass_\w+", query)) & counters) - rated, query
        assert all(name in counters or name.endswith(HISTOGRAM) for name in rated), query
    for steps in re.findall(r'step=~?"([^"]+)"', " ".join(queries)):
        for step in set(steps.split("|")) - {"descriptor"}:  # only with FaceMatcher
            assert f'step="{step}"' in text, step


def test_the_alert_rules_query_existing_series(played: Played) -> None:
    """Each series is exposed, or appears with a session store or a side-effect plugin."""
    text = played.service.get("/metrics").text
    exposed = {"up", *re.findall(r"^((?:lunapass|process)_\w+)", text, re.M)}
    exposed |= set(re.findall(r"^# TYPE (lunapass_effects_\w+)", text, re.M))
    (group,) = yaml.safe_load((ROOT / "deploy/prometheus/lunapass.rules.yml").read_text())["groups"]
    asked = {
        name
        for rule in group["rules"]
        for name in re.findall(r"\b(?:up|(?:lunapass|process)_\w+)\b(?=[ {\[]|$)", rule["expr"])
    }
    assert len(asked) > 10
    assert asked - exposed == {"lunapass_session_store_up"}


def test_the_docs_name_each_series(played: Played) -> None:
    """They have its labels, and name no other."""
    rows = re.findall(
        r"^\| `(lunapass_\w+)` \| ([\w, ]*)\|", (ROOT / "docs" / "operations.md").read_text(), re.M
    )
    named = {name: set(labels.replace(",", " ").split()) for name, labels in rows}
    exposed = {
        family.name + ("_total" if family.type == "counter" else ""): {
            label for sample in family.samples for label in sample.labels if label != "le"
        }
        for family in text_string_to_metric_families(played.service.get("/metrics").text)
        if not family.name.startswith("process_")
    }
    unseen = {"lunapass_session_store_up", *(name for name in named if "effects" in name)}
    unseen.add("lunapass_kiosk_sessions_total")  # only with start tokens
    assert set(named) - {"lunapass_session_store_up"} == set(exposed)
    assert {name: named[name] for name in exposed if name not in unseen} == {
        name: labels for name, labels in exposed.items() if name not in unseen
    }


def test_statistics_are_strict_json(played: Played) -> None:
    """No value is NaN or infinite, which JSON does not have."""
    json.loads(played.service.get("/statistics").content, parse_constant=pytest.fail)
