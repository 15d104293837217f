"""What a list of instances is restricted to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.http.hosting import Host


async def listed(host: Host, query: str) -> list[str]:
    response = await host.call("GET", f"instances?{query}")
    assert response.status == 200, await response.text()
    return [each["instanceId"] for each in await response.json()]


async def some(host: Host) -> None:
    """One instance of each of three functions, oldest first, the first with tags."""
    await host.call("POST", "orchestrators/echo/one?tag=region:north&tag=size:2", json="hi")
    await host.call("POST", "orchestrators/failing/two?tag=region:south")
    await host.call("POST", "orchestrators/waiting/three")
    for each in ("one", "two"):
        await host.hub.wait_for_instance_completion(each)
    await host.hub.wait_for_instance_start("three")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=echo", ["one"]),
        ("name=echo,waiting", ["three", "one"]),
        ("name=echo&name=failing", ["two", "one"]),
        ("name=Echo", []),
        ("tag=region:north", ["one"]),
        ("tag=region:north&tag=size:2", ["one"]),
        ("tag=region:north&tag=size:3", []),
        ("text=NO%20LUCK", ["two"]),
        ("text=waits", ["three"]),
        ("text=thr", ["three"]),
        ("runtimeStatus=Failed&name=failing&tag=region:south&text=value", ["two"]),
    ],
)
async def test_a_list_is_of_those_that_match_all_of_it(
    host: Host, query: str, expected: list[str]
) -> None:
    await some(host)
    assert await listed(host, query) == expected


async def test_a_list_is_restricted_by_the_last_change(host: Host) -> None:
    await some(host)
    state = await host.hub.get_instance("three")
    assert state is not None
    later = (state.last_updated_at + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert await listed(host, f"lastUpdatedTimeFrom={later}") == []
    assert len(await listed(host, f"lastUpdatedTimeTo={later}")) == 3


async def test_a_list_is_in_order_of_creation_or_of_the_last_change(host: Host) -> None:
    await host.call("POST", "orchestrators/waiting/zero")
    await some(host)
    await host.call("POST", "instances/zero/raiseEvent/go", json=1)
    await host.hub.wait_for_instance_completion("zero")
    for order in ("", "created", "CREATED"):
        assert await listed(host, f"order={order}") == ["three", "two", "one", "zero"]
    assert (await listed(host, "order=updated"))[0] == "zero"


async def test_outputs_are_left_out_on_demand(host: Host) -> None:
    await some(host)
    for show, expected in (("true", "hi"), ("false", None)):
        response = await host.call("GET", f"instances?name=echo&showOutput={show}")
        assert [each["output"] for each in await response.json()] == [expected]


@pytest.mark.parametrize(
    "query",
    ["tag=x", "lastUpdatedTimeFrom=soon", "showOutput=2", "order=name", f"text={'x' * 1025}"],
)
async def test_a_filter_that_makes_no_sense_is_refused(host: Host, query: str) -> None:
    assert (await host.call("GET", f"instances?{query}")).status == 400


async def test_counts_are_by_status_and_of_what_matches(host: Host) -> None:
    assert await (await host.call("GET", "counts")).json() == {"total": 0}
    await some(host)
    counts = await (await host.call("GET", "counts")).json()
    assert counts == {"total": 3, "Running": 1, "Completed": 1, "Failed": 1}
    counts = await (await host.call("GET", "counts?name=echo,failing&text=luck")).json()
    assert counts == {"total": 1, "Failed": 1}
    assert (await host.call("GET", "counts?tag=x")).status == 400
