"""Instances of the demo app in states that are worth a look, and the host that has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bindings import FunctionApp
from bindings.waiting import WaitKind
from tests.browser.demo.function_app import app as demo_app
from tests.http.hosting import Host, running_host

LIMITS = {"courier": {"concurrency": 2, "rate": {"count": 10, "per": "00:01:00"}}}
ORDER = {"items": ["boat", "oar", "sail"]}


@asynccontextmanager
async def demo_host(
    app: FunctionApp = demo_app, key_file: Path | None = None
) -> AsyncIterator[Host]:
    """A host of the demo app, on the memory store; with keys if there is a file for them."""
    async with running_host(key_file, app=app, durable={"limits": LIMITS}) as host:
        yield host


async def waiting_order(host: Host, instance_id: str, order: Any = ORDER) -> str:
    """An order that has done all it can, and waits for the event Approval."""
    await _start(host, "place_order", order, instance_id)
    waits = False
    while not waits:
        await asyncio.sleep(0)
        waits = await _waits_for(host, instance_id, "Approval")
    return instance_id


async def ended(host: Host, name: str, value: Any, instance_id: str) -> str:
    """An instance that has come to an end."""
    await _start(host, name, value, instance_id)
    await host.hub.wait_for_instance_completion(instance_id)
    return instance_id


async def _start(host: Host, name: str, value: Any, instance_id: str) -> None:
    await host.hub.schedule_new_orchestration(name, input=value, instance_id=instance_id)


async def in_quarantine(host: Host, instance_id: str) -> str:
    """An order that has ended its hosts."""
    await waiting_order(host, instance_id)
    parts = host.engine.parts
    row = await parts.store.get(instance_id)
    assert row is not None
    reason = "A host ended 5 times while it led this instance, which never got on."
    await parts.quarantine.put(row, reason, parts.clock.now())
    return instance_id


async def _waits_for(host: Host, instance_id: str, event: str) -> bool:
    waits = await host.hub.why(instance_id)
    return any(each.kind is WaitKind.EVENT and each.name == event for each in waits)
