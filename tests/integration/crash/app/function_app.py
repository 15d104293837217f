"""The app of the crash tests: every kind of orchestration that a crash must not hurt.

Each activity, first of all, appends one line to the file that ACTIVITY_LOG names: which host ran
it, for which instance, which step. One small write in append mode survives the kill of its process
whole, so what ran can be counted exactly from outside. Every instance but the collectors stops half
way and waits for the event `go`; steps are named after the half they belong to.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bindings import (
    DurableTask,
    FunctionApp,
    HttpRequest,
    OrchestrationContext,
    when_all,
    when_any,
)

app = FunctionApp()

GO = "go"
ITEM = "item"
STOP = -1
ITEMS = 6
ITEMS_PER_EXECUTION = 4
CHAIN_STEPS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildWork:
    """What a parent gives to a child."""

    step: str
    value: int


_LOG = os.open(os.environ["ACTIVITY_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_HOST = os.environ["HOST_NUMBER"]

_done: Counter[str] = Counter()
_progress = threading.Condition()


def _note(instance: str, step: str) -> None:
    os.write(_LOG, f"{_HOST} {instance} {step}\n".encode())
    with _progress:
        _done[step.split("-", maxsplit=1)[0]] += 1
        _progress.notify_all()


@app.route("done/{half}/{count:int}", methods=["GET"])
def done(req: HttpRequest) -> str:
    """Answers when this host has run so many steps of a half."""
    half, count = req.route_params["half"], int(req.route_params["count"])
    with _progress:
        _progress.wait_for(lambda: _done[half] >= count)
    return str(_done[half])


# ---- activities: some on the event loop, some in threads ---------------------------------------


@app.activity_trigger()
def increment(instance: str, step: str, value: int) -> int:
    _note(instance, step)
    return value + 1


@app.activity_trigger()
async def double(instance: str, step: str, value: int) -> int:
    _note(instance, step)
    return value * 2


@app.activity_trigger()
def read_locked(instance: str, step: str, path: str) -> str:
    """Runs until nobody holds a lock on the file; gives what it holds."""
    _note(instance, step)
    with Path(path).open(encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        return file.read()


def _increment(
    context: OrchestrationContext, step: str, value: int, owner: str | None = None
) -> DurableTask[int]:
    work = {"instance": owner or context.instance_id, "step": step, "value": value}
    return context.call_activity(increment, work)


def _double(
    context: OrchestrationContext, step: str, value: int, owner: str | None = None
) -> DurableTask[int]:
    work = {"instance": owner or context.instance_id, "step": step, "value": value}
    return context.call_activity(double, work)


# ---- orchestrations ----------------------------------------------------------------------------


@app.orchestration_trigger()
async def chain(context: OrchestrationContext, value: int) -> int:
    for step in range(CHAIN_STEPS):
        if step == CHAIN_STEPS // 2:
            await context.wait_for_external_event(GO)
        name = f"{'before' if step < CHAIN_STEPS // 2 else 'after'}-{step}"
        run = _double if step % 2 else _increment
        value = await run(context, name, value)
    return value


@app.orchestration_trigger()
async def fan_out(context: OrchestrationContext, values: list[int]) -> int:
    doubled = await when_all(
        [_double(context, f"before-{number}", value) for number, value in enumerate(values)]
    )
    await context.wait_for_external_event(GO)
    increased = await when_all(
        [_increment(context, f"after-{number}", value) for number, value in enumerate(doubled)]
    )
    return sum(increased)


@app.orchestration_trigger()
async def alarm(context: OrchestrationContext) -> datetime:
    """Two timers that fire and one that is cancelled; gives the time when the second one fired."""
    await context.create_timer(timedelta(milliseconds=1))
    limit = context.create_timer(timedelta(hours=1))
    go = context.wait_for_external_event(GO, datetime)
    await when_any([go, limit])
    limit.cancel()
    await _increment(context, "armed-0", 0)
    await context.create_timer(go.result)
    rang_at = context.current_utc_datetime
    await _double(context, "rang-0", 0)
    return rang_at


@app.orchestration_trigger()
async def collector(context: OrchestrationContext, seen: list[int]) -> list[int] | None:
    """Collects numbers, in several executions, and gives them in the order in which they came."""
    for _ in range(ITEMS_PER_EXECUTION):
        item: int = await context.wait_for_external_event(ITEM, int)
        if item == STOP:
            return seen
        await _increment(context, f"item-{item}", item)
        seen.append(item)
    context.continue_as_new(seen)
    return None


@app.orchestration_trigger()
async def notifier(context: OrchestrationContext, partner: str) -> int:
    """Feeds a collector."""
    await context.wait_for_external_event(GO)
    for number in range(ITEMS):
        context.send_event(partner, ITEM, number)
        await _double(context, f"after-{number}", number)
    context.send_event(partner, ITEM, STOP)
    return ITEMS


@app.orchestration_trigger()
async def parent(context: OrchestrationContext, value: int) -> list[int]:
    first = await when_all(
        [
            context.call_sub_orchestrator(child, ChildWork(step=f"before-{number}", value=value))
            for number in range(2)
        ]
    )
    await context.wait_for_external_event(GO)
    last = await context.call_sub_orchestrator(child, ChildWork(step="after-2", value=value + 1))
    return [*first, last]


@app.orchestration_trigger()
async def child(context: OrchestrationContext, work: ChildWork) -> int:
    """Its steps are noted in the name of the parent."""
    owner = context.parent_instance_id
    value = await _increment(context, f"{work.step}-0", work.value, owner)
    return await _double(context, f"{work.step}-1", value, owner)


@app.orchestration_trigger()
async def countdown(context: OrchestrationContext, state: dict[str, int]) -> int | None:
    """Several executions, the last of which waits for what came during the first."""
    left, total = state["left"], state["total"]
    if left == 0:
        bonus: int = await context.wait_for_external_event("bonus", int)
        await context.wait_for_external_event(GO)
        return await _increment(context, "after-0", total + bonus)
    total += await _double(context, f"before-{left}", left)
    context.continue_as_new({"left": left - 1, "total": total})
    return None


@app.orchestration_trigger()
async def reader(context: OrchestrationContext, path: str) -> list[object]:
    """One short step, one that the test holds, and one more."""
    first = await _increment(context, "before-0", 1)
    work = {"instance": context.instance_id, "step": "held-1", "path": path}
    text = await context.call_activity(read_locked, work)
    return [first, text, await _increment(context, "after-2", 2)]
