"""Orders with a body, orders for all below, and waiting for an instance over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.http.hosting import Host


async def post(host: Host, path: str, **options: Any) -> tuple[int, Any]:
    response = await host.call("POST", path, **options)
    text = await response.text()
    return response.status, (await response.json()) if text else None


@pytest.mark.parametrize("output", [{"why": ["a", 1]}, "text", 0, False, []])
async def test_the_body_of_a_termination_is_the_output(host: Host, output: Any) -> None:
    instance_id = await host.waiting()
    assert await post(host, f"instances/{instance_id}/terminate", json=output) == (202, None)
    assert (await host.hub.wait_for_instance_completion(instance_id)).output == output


@pytest.mark.parametrize("order", ["suspend", "resume"])
async def test_the_body_of_other_orders_is_their_reason(host: Host, order: str) -> None:
    instance_id = await host.waiting()
    assert (await post(host, f"instances/{instance_id}/{order}", json="because"))[0] == 202
    status, refusal = await post(host, f"instances/{instance_id}/{order}", json={"why": 1})
    assert (status, "a JSON text" in refusal["ExceptionMessage"]) == (400, True)
    await host.hub.raise_event(instance_id, "go", 1)
    await host.hub.resume_instance(instance_id)
    await host.hub.wait_for_instance_completion(instance_id)
    events = await host.hub.get_instance_history(instance_id)
    assert "because" in [event.get("Reason") for event in events]


@pytest.mark.parametrize("order", ["terminate", "suspend", "resume"])
async def test_what_is_wrong_with_an_order_is_said_after_the_instance(
    host: Host, order: str
) -> None:
    instance_id = await host.waiting()
    both = f"{order}?reason=x"
    status, refusal = await post(host, f"instances/{instance_id}/{both}", json="y")
    assert (status, "say it once" in refusal["ExceptionMessage"]) == (400, True)
    assert (await post(host, f"instances/{instance_id}/{order}", data=b"{"))[0] == 400
    assert (await post(host, f"instances/{instance_id}/{order}?recursive=maybe"))[0] == 400
    assert (await post(host, f"instances/nobody/{order}", data=b"{"))[0] == 404
    ended = await host.ended()
    assert (await post(host, f"instances/{ended}/{order}", data=b"{"))[0] == 410


async def test_a_wait_ends_with_the_instance(host: Host) -> None:
    instance_id = await host.waiting()
    waiting = asyncio.create_task(post(host, f"instances/{instance_id}/wait?timeout=60"))
    await host.hub.raise_event(instance_id, "go", "there")
    status, shown = await waiting
    assert (status, shown["runtimeStatus"], shown["output"]) == (200, "Completed", "there")
    assert (await post(host, f"instances/{instance_id}/wait"))[0] == 200


async def test_a_wait_in_vain_says_how_it_stands(host: Host) -> None:
    instance_id = await host.waiting()
    status, shown = await post(host, f"instances/{instance_id}/wait?timeout=0.01")
    assert (status, shown["runtimeStatus"]) == (202, "Running")
    assert (await post(host, f"instances/{instance_id}/wait?for=START"))[0] == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nobody/wait", 404),
        ("nobody/wait?timeout=0", 404),
        ("nobody/wait?for=ever", 400),
        ("nobody/wait?timeout=-1", 400),
        ("nobody/wait?timeout=nan", 400),
        ("nobody/wait?timeout=86401", 400),
    ],
)
async def test_a_wait_that_makes_no_sense_is_refused(host: Host, path: str, status: int) -> None:
    assert (await post(host, f"instances/{path}"))[0] == status
