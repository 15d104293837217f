"""The first and the last times that there are, and endless durations: never the host's fault."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from bindings import EntityQuery, OrchestrationQuery
from host.http.admin.key_requests import GRACE
from host.http.management.entities import SIGNAL_AT
from host.http.management.starting import DEBOUNCE, START_AT
from host.http.operations import Operation
from host.http.parameters import Parameter, Place
from host.http.server import OPERATIONS
from host.http.shapes import SECONDS, TIME
from tests.http.hosting import Host
from tests.http.test_roles import PARTS

TIMES = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00%2B14:00",
    "0001-01-01T00:00:00-14:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59%2B14:00",
    "9999-12-31",
)
SPANS = ("0", "-0", "1e-300", "1e12", "1e300", "-1e300", "nan", "inf")
WORDED = ("1e12s", "1e300s", "-1e300s", "nans", "infs", "999999999d", "99999999999999d", "0s")


def extremes_of(parameter: Parameter[Any]) -> tuple[str, ...]:
    if parameter.schema == TIME:
        return TIMES
    if parameter.schema == SECONDS or parameter is GRACE:
        return SPANS
    return (*TIMES, *WORDED) if parameter in (SIGNAL_AT, START_AT, DEBOUNCE) else ()


def asked_of(operation: Operation[Any]) -> Iterator[str]:
    for each in operation.parameters_in(Place.QUERY):
        for value in extremes_of(each):
            yield f"{each.name}={value}"


def beside(operation: Operation[Any]) -> str:
    """What makes the request one that is done."""
    if operation.id.startswith("batch"):
        return "dryRun=true"
    return {"purgeInstances": "createdTimeFrom=2000-01-01", "moveInstances": "move=true"}.get(
        operation.id, ""
    )


IN_TIME = [each for each in OPERATIONS if any(asked_of(each))]


def test_these_take_times() -> None:
    assert {
        "getHistogram",
        "showAudit",
        "exportAudit",
        "purgeInstances",
        "moveInstances",
        "listEntities",
        "signalEntity",
        "startInstance",
        "batchPurge",
        "putMessage",
        "setFunctionKey",
    } <= {each.id for each in IN_TIME}


@pytest.mark.parametrize("operation", IN_TIME, ids=lambda each: each.id)
async def test_found_no_time_is_the_hosts_fault(
    host: Host, operation: Operation[Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = operation.path.format(**PARTS | {"name": "echo"})
    for is_empty in (True, False):
        if not is_empty:
            await host.ended()
            await host.call("POST", "instances/none/suspend")
        for asked in asked_of(operation):
            answer = await host.call(operation.verb, f"{path}?{beside(operation)}&{asked}")
            assert answer.status < 500, (asked, await answer.text())
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("end", [datetime.min, datetime.max])
async def test_found_programs_may_say_them_too(host: Host, end: datetime) -> None:
    await host.ended()
    ends = (
        "created_time_from",
        "created_time_to",
        "last_updated_time_from",
        "last_updated_time_to",
    )
    for each in ends:
        wanted = OrchestrationQuery(**{each: end})  # type: ignore[arg-type]
        found = len((await host.hub.query_instances(wanted)).items)
        assert found == (each.endswith("to") is (end == datetime.max))
    for each in ("last_operation_from", "last_operation_to"):
        query = EntityQuery(**{each: end})  # type: ignore[arg-type]
        assert not (await host.hub.query_entities(query)).items
