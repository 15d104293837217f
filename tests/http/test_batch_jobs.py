"""Jobs over HTTP: which instances are meant must be said, and is never guessed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.http.hosting import Host


async def some(host: Host) -> None:
    for name in ("one", "two", "three"):
        await host.call("POST", f"orchestrators/waiting/{name}?tag=kind:{name}")
    await host.call("POST", "orchestrators/echo/done", json="hi")
    await host.hub.wait_for_instance_completion("done")


async def job_of(host: Host, path: str, **more: Any) -> dict[str, Any]:
    """The job that this starts, when it is over."""
    started = await host.call("POST", path, **more)
    assert started.status == 202, await started.text()
    job_id = (await started.json())["jobId"]
    assert started.headers["Location"].endswith(f"/runtime/webhooks/durabletask/jobs/{job_id}")
    while True:
        response = await host.call("GET", f"jobs/{job_id}")
        assert response.status == 200
        job: dict[str, Any] = await response.json()
        if job["state"] != "running":
            return job
        await asyncio.sleep(0)


async def test_all_that_filters_find_are_terminated_with_the_body_as_output(host: Host) -> None:
    await some(host)
    job = await job_of(host, "batch/terminate?name=waiting&instanceIdPrefix=t", json={"why": 1})
    shown = {name: job[name] for name in ("action", "state", "matched", "done", "failed")}
    assert shown == {
        "action": "terminate",
        "state": "completed",
        "matched": 2,
        "done": 2,
        "failed": 0,
    }
    assert job["failures"] == []
    assert job["createdTime"] <= job["endedTime"]
    await host.until("two", "Terminated")
    state = await (await host.call("GET", "instances/two")).json()
    assert state["output"] == {"why": 1}
    assert (await (await host.call("GET", "instances/one")).json())["runtimeStatus"] == "Running"


@pytest.mark.parametrize("door", ["batch", "DELETE"])
async def test_a_purge_of_many_takes_children_along_if_it_says_so(host: Host, door: str) -> None:
    async def purged(query: str) -> int:
        if door == "batch":
            return int((await job_of(host, f"batch/purge?name=parent{query}"))["done"])
        path = f"instances?name=parent&createdTimeFrom=2000-01-01{query}"
        deleted = await (await host.call("DELETE", path)).json()
        return int(deleted["instancesDeleted"])

    async def left() -> int:
        return sum((await host.hub.count_instances()).values())

    await host.ended("parent")
    assert (await purged(""), await left()) == (1, 1)
    await host.ended("parent")
    assert await purged("&recursive=true") == (1 if door == "batch" else 2)
    assert await left() == 0  # the child has the id of the one before
    verb, path = ("POST", "batch/purge") if door == "batch" else ("DELETE", "instances")
    query = "createdTimeFrom=2000-01-01&recursive=maybe"
    assert (await host.call(verb, f"{path}?{query}")).status == 400


async def test_many_are_suspended_resumed_and_purged(host: Host) -> None:
    await some(host)
    assert (await job_of(host, "batch/suspend?tag=kind:one&reason=tea"))["done"] == 1
    await host.until("one", "Suspended")
    assert (await job_of(host, "batch/resume?all=true"))["done"] == 1
    await host.until("one", "Running")
    assert (await job_of(host, "batch/purge?all=true"))["done"] == 1
    assert (await host.call("GET", "instances/done")).status == 404
    assert (await host.call("GET", "instances/one")).status == 202


async def test_many_are_redriven_and_those_in_quarantine_are_listed_alone(host: Host) -> None:
    for name in ("one", "two", "three"):
        await host.call("POST", f"orchestrators/waiting/{name}")
        await host.hub.wait_for_instance_start(name)
    parts = host.engine.parts
    for name in ("one", "two"):
        row = await parts.store.get(name)
        assert row is not None
        await parts.quarantine.put(row, "It ends hosts.", parts.clock.now())
    listed = await (await host.call("GET", "instances?onlyQuarantined=true")).json()
    assert {each["instanceId"] for each in listed if each["isQuarantined"]} == {"one", "two"}
    assert len(listed) == 2
    counted = await (await host.call("GET", "counts?onlyQuarantined=true")).json()
    assert counted == {"total": 2, "Running": 2}
    assert (await job_of(host, "batch/redrive?all=true"))["done"] == 2
    assert await (await host.call("GET", "instances?onlyQuarantined=true")).json() == []
    response = await host.call("POST", "batch/redrive?runtimeStatus=Completed")
    assert response.status == 400


async def test_a_dry_run_counts_and_does_nothing(host: Host) -> None:
    await some(host)
    for action, count in (("terminate", 3), ("purge", 1), ("resume", 0)):
        response = await host.call("POST", f"batch/{action}?all=true&dryRun=true")
        assert (response.status, await response.json()) == (200, {"matched": count})
    assert await (await host.call("GET", "jobs")).json() == []


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "all=true"),
        ("all=false", "all=true"),
        ("reason=tidy", "all=true"),
        ("instanceIdPrefix=", "is empty"),
        ("name=", "is empty"),
        ("runtimeState=Running", "runtimeState"),
        ("name=waiting&createdTimeFom=2026-01-01", "createdTimeFom"),
        ("runtimeStatus=Completed", "Completed"),
        ("runtimeStatus=Running,Failed", "Failed"),
        ("runtimeStatus=Walking", "Walking"),
        ("createdTimeFrom=yesterday", "yesterday"),
        ("all=perhaps", "perhaps"),
        ("all=true&dryRun=perhaps", "perhaps"),
        ("all=true&recursive=perhaps", "perhaps"),
    ],
)
async def test_what_does_not_say_which_instances_are_meant_is_refused(
    host: Host, query: str, reason: str
) -> None:
    await some(host)
    response = await host.call("POST", f"batch/terminate?{query}")
    assert response.status == 400
    assert reason in (await response.json())["ExceptionMessage"]
    assert await (await host.call("GET", "jobs")).json() == []


async def test_a_reason_is_said_once_and_is_json_of_no_great_size(host: Host) -> None:
    path = "batch/terminate?all=true"
    assert (await host.call("POST", f"{path}&reason=a", json="b")).status == 400
    assert (await host.call("POST", path, data="{")).status == 400
    large = await host.call("POST", path, json="x" * 70_000)
    assert large.status == 413
    said = (await large.json())["ExceptionMessage"]
    assert "the limit is 65,536 bytes. Store large data elsewhere and pass a reference." in said


async def test_an_unknown_action_and_an_unknown_job_are_not_found(host: Host) -> None:
    assert (await host.call("POST", "batch/dance?all=true")).status == 404
    assert (await host.call("GET", "jobs/nothing")).status == 404
    assert (await host.call("DELETE", "jobs/nothing")).status == 404
    assert (await host.call("GET", "batch/terminate?all=true")).status == 405


async def test_a_job_that_is_over_cannot_be_cancelled(host: Host) -> None:
    await some(host)
    job = await job_of(host, "batch/terminate?all=true")
    assert (await host.call("DELETE", f"jobs/{job['jobId']}")).status == 410


async def test_jobs_are_listed_the_newest_first_in_pages(host: Host) -> None:
    await some(host)
    ids = [(await job_of(host, "batch/suspend?all=true"))["jobId"] for _ in range(3)]
    first = await host.call("GET", "jobs?top=2")
    token = first.headers["x-ms-continuation-token"]
    second = await host.call("GET", "jobs?top=2", headers={"x-ms-continuation-token": token})
    listed = [*(await first.json()), *(await second.json())]
    assert [job["jobId"] for job in listed] == ids[::-1]
    assert second.headers["x-ms-continuation-token"] == ""


@pytest.mark.parametrize(
    "query", ["dryRun=", "dryRun=true&dryRun=false", "DRYRUN=true&dryrun=true", "all=&all=true"]
)
async def test_found_an_option_that_is_empty_or_said_twice_does_nothing(
    host: Host, query: str
) -> None:
    await some(host)
    response = await host.call("POST", f"batch/terminate?name=waiting&{query}")
    assert response.status == 400
    assert "is to be said once" in await response.text()
    assert (await (await host.call("GET", "jobs")).json()) == []


async def test_found_a_token_of_no_list_of_jobs_is_refused(host: Host) -> None:
    response = await host.call("GET", "jobs", headers={"x-ms-continuation-token": "zzz"})
    assert response.status == 400
