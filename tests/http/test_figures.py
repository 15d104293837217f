"""The metrics, the statistics of functions and the scale signal, asked for over HTTP."""

from __future__ import annotations

import pytest
from prometheus_client import parser

from host.http.keys import KeyKind
from tests.http.hosting import Host


async def samples(host: Host) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = await host.call("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {
        (each.name, frozenset(each.labels.items())): each.value
        for family in parser.text_string_to_metric_families(await answer.text())
        for each in family.samples
    }


def of(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return f"funchost_{name}", frozenset(labels.items())


async def test_what_a_host_does_is_in_its_metrics(host: Host) -> None:
    await host.ended("shouting", "hello")
    await host.ended("failing")
    await host.call("POST", "/api/start/echo", json=1)
    await host.call("GET", "instances/nobody")
    found = await samples(host)
    assert found[of("function_duration_seconds_count", kind="activity", function="shout")] == 1
    assert found[of("orchestrations_started_total", function="shouting")] == 1
    ended = "orchestrations_ended_total"
    assert found[of(ended, function="shouting", status="Completed")] == 1
    assert found[of(ended, function="failing", status="Failed")] == 1
    assert found[of("function_failures_total", kind="orchestrator", function="failing")] == 1
    assert found[of("function_duration_seconds_count", kind="triggered", function="start")] == 1
    assert found[of("http_requests_total", operation="startInstance", code="202")] == 2
    assert found[of("http_requests_total", operation="function", code="202")] == 1
    assert found[of("http_requests_total", operation="getInstance", code="404")] == 1
    assert found[of("http_request_duration_seconds_count", operation="startInstance")] == 2
    assert found[of("hints", queue="wakeups", state="waiting")] == 0
    assert found[of("host_info", version="1.2.3")] == 1
    assert ("process_resident_memory_bytes", frozenset()) in found


async def test_paths_that_nobody_knows_make_no_labels(host: Host) -> None:
    for number in range(3):
        await host.call("GET", f"/no/such/path{number}")
    found = await samples(host)
    assert found[of("http_requests_total", operation="none", code="404")] == 3


async def test_open_metrics_are_given_to_who_asks_for_them(host: Host) -> None:
    headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = await host.call("GET", "/metrics", headers=headers)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert (await answer.text()).endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/metrics", "/scale", "/admin/functions/stats"])
async def test_figures_are_for_who_has_a_key(locked: Host, path: str) -> None:
    assert (await locked.call("GET", path)).status == 401
    headers = {"x-functions-key": locked.keys[KeyKind.MASTER]}
    assert (await locked.call("GET", path, headers=headers)).status == 200


async def test_statistics_of_functions_say_what_failed_last(host: Host) -> None:
    await host.ended("shouting", "hello")
    await host.ended("failing")
    stats = {each["name"]: each for each in await (await asked(host)).json()}
    assert set(stats) == {"shout", "shouting", "failing"}
    assert stats["shout"].items() >= {"kind": "activity", "runs": 1, "failures": 0}.items()
    assert "lastError" not in stats["shout"]
    assert stats["failing"]["failures"] == 1
    assert "no luck" in stats["failing"]["lastError"]


async def asked(host: Host):  # type: ignore[no-untyped-def]
    return await host.call("GET", "/admin/functions/stats")


async def test_the_signal_counts_what_waits_in_queues_of_functions(host: Host) -> None:
    for text in ("one", "two"):
        answer = await host.call("POST", "/admin/queues/orders", json=text)
        assert answer.status == 201
    found = await (await host.call("GET", "/scale")).json()
    assert (found["backlog"], found["hosts"], found["wantedHosts"]) == (2, 1, 1)
    found = await (await host.call("GET", "/scale?perHost=1")).json()
    assert found["wantedHosts"] == 2


@pytest.mark.parametrize("share", ["0", "-1", "x", "1.5"])
async def test_a_share_that_is_no_number_is_refused(host: Host, share: str) -> None:
    assert (await host.call("GET", f"/scale?perHost={share}")).status == 400
