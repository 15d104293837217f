"""What a start may say of the new instance besides its input."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from yarl import URL

from tests.http.hosting import Host

TWICE = {"Idempotency-Key": "order-7"}


async def started(host: Host, path: str, **options: Any) -> str:
    response = await host.call("POST", f"orchestrators/{path}", **options)
    assert response.status == 202, await response.text()
    return str((await response.json())["id"])


async def status(host: Host, instance_id: str) -> dict[str, Any]:
    response = await host.call("GET", f"instances/{instance_id}")
    return dict(await response.json())


@pytest.mark.parametrize("form", ["3600s", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"])
async def test_a_scheduled_start_waits_and_can_be_terminated_before(host: Host, form: str) -> None:
    start_at = (datetime.now(UTC) + timedelta(days=365)).strftime(form)
    instance_id = await started(host, f"echo?startAt={start_at}", json=1)
    shown = await status(host, instance_id)
    assert shown["runtimeStatus"] == "Pending"
    assert shown["scheduledStartTime"] > shown["createdTime"]
    response = await host.call("POST", f"instances/{instance_id}/terminate?reason=no")
    assert response.status == 202
    ended = await host.hub.wait_for_instance_completion(instance_id)
    assert (ended.runtime_status, ended.output) == ("Terminated", "no")


@pytest.mark.parametrize("start_at", ["0s", "2001-01-01T00:00:00Z"])
async def test_a_start_whose_time_has_come_begins_at_once(host: Host, start_at: str) -> None:
    instance_id = await started(host, f"echo?startAt={start_at}", json=1)
    assert (await host.hub.wait_for_instance_completion(instance_id)).output == 1
    assert "scheduledStartTime" not in await status(host, instance_id)


async def test_tags_and_version_are_kept_and_shown(host: Host) -> None:
    instance_id = await started(host, "waiting?tag=region:north&tag=note:a:b%26c&version=2.1")
    shown = await status(host, instance_id)
    assert shown["tags"] == {"region": "north", "note": "a:b&c"}
    assert shown["version"] == "2.1"
    plain = await status(host, await started(host, "waiting"))
    assert not {"tags", "version", "parentInstanceId", "scheduledStartTime"} & plain.keys()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("startAt=soon", "a time such as 2026-01-31T12:00:00Z"),
        ("startAt=1e400s", "seconds such as 90s"),
        ("startAt=nans", "seconds such as 90s"),
        ("startAt=1h", "seconds such as 90s"),
        ("startAt=9999999999s", "days away"),
        ("tag=region", "a name and a value"),
        ("tag=:north", "a name and a value"),
        ("reuse=always", "one of whenFinished, never, keep, keepActive, replace"),
        ("debounce=soon", "how long, such as 90s, 5m, 1h or 00:05:00"),
        ("debounce=5", "how long, such as 90s"),
        ("debounce=-5s", "how long, such as 90s"),
        ("debounce=0s", "longer than nothing"),
        ("debounce=00:00:00", "longer than nothing"),
        ("debounce=9999d", "at most 3660 days long"),
        ("debounce=999999999d", "at most 3660 days long"),
        ("debounce=5s&startAt=5s", "and not both"),
        ("version=" + "x" * 1025, "at most 1024 characters"),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_a_reason(
    host: Host, query: str, said: str
) -> None:
    response = await host.call("POST", f"orchestrators/echo/i?{query}", json=1)
    assert response.status == 400
    assert said in (await response.json())["ExceptionMessage"]
    assert await host.hub.get_instance("i") is None


@pytest.mark.parametrize(
    ("reuse", "of_active", "of_finished"),
    [
        ("whenFinished", 409, "new"),
        ("never", 409, 409),
        ("keep", "old", "old"),
        ("keepActive", "old", "new"),
        ("replace", "new", "new"),
        ("Replace", "new", "new"),
    ],
)
async def test_a_start_says_what_becomes_of_who_has_the_id(
    host: Host, reuse: str, of_active: object, of_finished: object
) -> None:
    await started(host, "waiting/active")
    await started(host, "echo/finished", json="old")
    await host.hub.wait_for_instance_completion("finished")

    async def outcome(instance_id: str) -> object:
        path = f"orchestrators/echo/{instance_id}?reuse={reuse}"
        response = await host.call("POST", path, json="new")
        if response.status != 202:
            return response.status
        state = await host.hub.get_instance(instance_id)
        assert state is not None
        return "old" if state.input in {None, "old"} else "new"

    assert (await outcome("active"), await outcome("finished")) == (of_active, of_finished)


@pytest.mark.parametrize("path", ["waiting/order", "waiting"])
async def test_the_same_start_with_its_key_starts_once(host: Host, path: str) -> None:
    first = await started(host, path, json=1, headers=TWICE)
    again = await asyncio.gather(*(started(host, path, headers=TWICE) for _ in range(5)))
    assert set(again) == {first}
    await host.hub.raise_event(first, "go", "ended")
    await host.hub.wait_for_instance_completion(first)
    assert await started(host, path, headers=TWICE) == first
    state = await host.hub.get_instance(first)
    assert state is not None
    assert (state.output, state.input) == ("ended", 1)


@pytest.mark.parametrize("path", ["echo/order", "echo", "echo?timeout=10&pollingInterval=1"])
async def test_the_answer_to_a_start_that_is_repeated_says_so(host: Host, path: str) -> None:
    async def said(**headers: str) -> str | None:
        response = await host.call("POST", f"orchestrators/{path}", json=1, headers=headers)
        assert response.status in {200, 202}, await response.text()
        if response.status == 202:
            await host.hub.wait_for_instance_completion((await response.json())["id"])
        return response.headers.get("Idempotency-Replayed")

    assert [await said(**TWICE) for _ in range(2)] == [None, "true"]
    assert await said(**TWICE) == "true"
    assert await said(**{"Idempotency-Key": "order-8"}) is None


async def test_who_is_kept_is_not_said_to_be_repeated(host: Host) -> None:
    path = "orchestrators/waiting/order?reuse=keep"
    keys: tuple[dict[str, str], ...] = ({}, {}, TWICE, TWICE)
    kept = [await host.call("POST", path, headers=each) for each in keys]
    assert [each.status for each in kept] == [202] * 4
    assert not any("Idempotency-Replayed" in each.headers for each in kept)


@pytest.mark.parametrize("reuse", ["keep", "keepActive"])
async def test_the_answer_says_that_an_instance_was_there(host: Host, reuse: str) -> None:
    path = f"orchestrators/waiting/order?reuse={reuse}"
    told = [await host.call("POST", path) for _ in range(3)]
    assert [each.status for each in told] == [202] * 3
    assert [(await each.json())["id"] for each in told] == ["order"] * 3
    assert [each.headers.get("Existing-Instance") for each in told] == [None, "kept", "kept"]


@pytest.mark.parametrize("wait", ["3600s", "60m", "1h", "01:00:00"])
async def test_debounced_starts_are_one_with_the_last_input(host: Host, wait: str) -> None:
    path = f"orchestrators/echo/burst?debounce={wait}"
    told = [await host.call("POST", path, json=number) for number in range(3)]
    assert [each.status for each in told] == [202] * 3
    assert [each.headers.get("Existing-Instance") for each in told] == [None, "moved", "moved"]
    shown = await status(host, "burst")
    assert (shown["runtimeStatus"], shown["input"]) == ("Pending", 2)
    start, created = shown["scheduledStartTime"], shown["createdTime"]
    wait_s = datetime.fromisoformat(start) - datetime.fromisoformat(created)
    assert wait_s >= timedelta(hours=1)


async def test_a_debounced_start_without_an_id_is_refused(host: Host) -> None:
    response = await host.call("POST", "orchestrators/echo?debounce=5s", json=1)
    assert response.status == 400
    assert "needs an instance id" in (await response.json())["ExceptionMessage"]


async def test_found_a_key_of_another_function_is_another_start(host: Host) -> None:
    await started(host, "waiting/order", headers=TWICE)
    response = await host.call("POST", "orchestrators/echo/order", headers=TWICE)
    assert response.status == 409


@pytest.mark.parametrize("odd", [[""], [" "], ["a", "b"], ["a", "a"]])
async def test_found_a_key_that_says_nothing_is_refused(host: Host, odd: list[str]) -> None:
    headers = [("Idempotency-Key", each) for each in odd]
    for path in ("orchestrators/waiting/order", "orchestrators/waiting"):
        assert (await host.call("POST", path, headers=headers)).status == 400
    assert (await host.call("GET", "instances/order")).status == 404


async def test_a_start_with_another_key_is_another_start(host: Host) -> None:
    await started(host, "waiting/order", headers=TWICE)
    other = {"Idempotency-Key": "order-8"}
    response = await host.call("POST", "orchestrators/waiting/order", headers=other)
    assert response.status == 409
    assert await started(host, "waiting", headers=other) != await started(
        host, "waiting", headers=TWICE
    )


async def test_a_failure_is_shown_with_its_type_and_without_a_key_without_its_stack(
    host: Host,
) -> None:
    instance_id = await started(host, "failing")
    await host.hub.wait_for_instance_completion(instance_id)
    failure = (await status(host, instance_id))["failureDetails"]
    assert (failure["ErrorType"], failure["ErrorMessage"]) == ("ValueError", "no luck")
    assert "raise ValueError" in failure["StackTrace"]


async def test_a_link_shows_no_stack_of_a_failure(locked: Host) -> None:
    instance_id = await locked.hub.schedule_new_orchestration("failing")
    await locked.hub.wait_for_instance_completion(instance_id)
    links = locked.hub.create_http_management_payload(instance_id)
    link = URL(links["statusQueryGetUri"]).raw_path_qs
    response = await locked.http.request("GET", link)
    assert response.status == 200
    failure = (await response.json())["failureDetails"]
    assert (failure["ErrorType"], failure["StackTrace"]) == ("ValueError", None)
