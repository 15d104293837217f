"""The orchestrators that lead programs. What a step does is in a table, by the step's kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeAlias

from bindings import OrchestrationContext, RetryPolicy, when_all, when_any
from bindings.errors import InvalidArgumentError, TaskFailedError
from tests.simulation.programs import STOP, Program, Step


async def run_program(context: OrchestrationContext, program: Program) -> list[Any] | None:
    """Do the steps, round after round."""
    label = str(context.new_uuid())[:13]
    log = [*program.get("log", [])]
    for place, step in enumerate(program["steps"]):
        log.append(await _DEEDS[step[0]](context, step, f"{label}.{place}"))
    if program["left"]:
        context.continue_as_new(program | {"left": program["left"] - 1, "log": log})
        return None
    return log


async def run_changed_program(context: OrchestrationContext, program: Program) -> list[Any] | None:
    """The same in a later version: a change that histories allow."""
    context.set_custom_status("new")
    return await run_program(context, program)


async def listen(context: OrchestrationContext, program: Program) -> list[Any] | None:
    """Gather what is said until somebody says stop."""
    heard = [*program.get("heard", [])]
    label = str(context.new_uuid())[:13]
    if program["works"] == "timer":
        await context.create_timer(timedelta(seconds=2))
    for place in range(program["per_round"]):
        said = await context.wait_for_external_event("said")
        if said == STOP:
            return heard
        heard.append(said)
        if program["works"] == "activity":
            await context.call_activity("echo", {"label": f"{label}.{place}", "s": 0.1})
    context.continue_as_new(program | {"heard": heard})
    return None


# ---- steps -------------------------------------------------------------------------------------


async def _act(context: OrchestrationContext, step: Step, label: str) -> Any:
    return await context.call_activity("echo", {"label": label, "s": step[1]})


async def _once(context: OrchestrationContext, step: Step, label: str) -> Any:
    try:
        return await context.call_activity("once", {"label": label, "s": step[1], "once": True})
    except TaskFailedError as error:
        return ["lost", error.details.error_type]


async def _fan(context: OrchestrationContext, step: Step, label: str) -> Any:
    calls = [{"label": f"{label}.{number}", "s": s} for number, s in enumerate(step[1])]
    return await when_all([context.call_activity("echo", call) for call in calls])


async def _race(context: OrchestrationContext, step: Step, label: str) -> Any:
    timer = context.create_timer(timedelta(seconds=step[2]))
    work = context.call_activity("echo", {"label": label, "s": step[1]})
    await when_any([timer, work])
    timer.cancel()
    return "raced"


async def _timer(context: OrchestrationContext, step: Step, label: str) -> Any:
    await context.create_timer(timedelta(seconds=step[1]))
    return "rang"


async def _wait(context: OrchestrationContext, step: Step, label: str) -> Any:
    try:
        limit = timedelta(seconds=step[2])
        return ["heard", await context.wait_for_external_event(step[1], timeout=limit)]
    except TimeoutError:
        return "silence"


async def _send(context: OrchestrationContext, step: Step, label: str) -> Any:
    context.send_event(step[1], "said", label)
    return ["sent", step[1], label]


async def _status(context: OrchestrationContext, step: Step, label: str) -> Any:
    context.set_custom_status(label)
    return "shown"


async def _raise(context: OrchestrationContext, step: Step, label: str) -> Any:
    raise ValueError("as planned")


async def _fail(context: OrchestrationContext, step: Step, label: str) -> Any:
    try:
        return await context.call_activity("fail", {"label": label, "s": 0.01})
    except TaskFailedError:
        return "failed"


async def _retry(context: OrchestrationContext, step: Step, label: str) -> Any:
    policy = RetryPolicy(timedelta(seconds=step[2]), 4, backoff_coefficient=2)
    call = {"label": label, "s": 0.01, "failures": step[1]}
    return await context.call_activity("flaky", call, retry_policy=policy)


async def _breaks(context: OrchestrationContext, step: Step, label: str) -> Any:
    call = {"label": label, "s": 0.01, "failures": step[1]}
    return await context.call_activity("flaky", call)


async def _depends(context: OrchestrationContext, step: Step, label: str) -> Any:
    return await context.call_sub_orchestrator("program", step[1])


async def _child(context: OrchestrationContext, step: Step, label: str) -> Any:
    return await _outcome(context.call_sub_orchestrator("program", step[1]))


async def _children(context: OrchestrationContext, step: Step, label: str) -> Any:
    return await _outcome(
        when_all([context.call_sub_orchestrator("program", each) for each in step[1]])
    )


async def _orphan(context: OrchestrationContext, step: Step, label: str) -> Any:
    context.call_sub_orchestrator("program", step[1])
    return "left"


async def _left(context: OrchestrationContext, step: Step, label: str) -> Any:
    context.call_activity("echo", {"label": label, "s": step[1]})
    return "left"


async def _left_once(context: OrchestrationContext, step: Step, label: str) -> Any:
    context.call_activity("once", {"label": label, "s": step[1], "once": True})
    return "left"


async def _left_timer(context: OrchestrationContext, step: Step, label: str) -> Any:
    context.create_timer(timedelta(seconds=step[1]))
    return "left"


async def _named(context: OrchestrationContext, step: Step, label: str) -> Any:
    try:
        return await _outcome(
            context.call_sub_orchestrator("program", step[2], instance_id=step[1])
        )
    except InvalidArgumentError:
        return ["child failed", "own id"]


async def _outcome(task: Awaitable[Any]) -> Any:
    try:
        return await task
    except TaskFailedError as error:
        return ["child failed", error.details.error_type]


_Deed: TypeAlias = Callable[[OrchestrationContext, Step, str], Awaitable[Any]]

_DEEDS: dict[str, _Deed] = {
    "act": _act,
    "once": _once,
    "fan": _fan,
    "race": _race,
    "timer": _timer,
    "wait": _wait,
    "send": _send,
    "status": _status,
    "raise": _raise,
    "fail": _fail,
    "retry": _retry,
    "breaks": _breaks,
    "depends": _depends,
    "child": _child,
    "children": _children,
    "orphan": _orphan,
    "named": _named,
    "left": _left,
    "left-once": _left_once,
    "left-timer": _left_timer,
}
