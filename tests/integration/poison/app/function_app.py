"""The app of the poison tests: functions that do the worst, until a file says that they are mended.

Each run of an activity is noted with one small write, so that what ran can be counted from outside
although the process is gone the moment after.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from bindings import FunctionApp, OrchestrationContext, RetryPolicy, TaskFailedError, when_all

app = FunctionApp()

_FOLDER = Path(os.environ["POISON_FOLDER"])
_RUNS = os.open(_FOLDER / "runs", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
MEGABYTE = 1024 * 1024


def _note(what: str) -> None:
    os.write(_RUNS, f"{what}\n".encode())


def _is_mended() -> bool:
    return (_FOLDER / "mended").exists()


# ---- functions that nothing is wrong with --------------------------------------------------------


@app.activity_trigger()
def increment(value: int) -> int:
    return value + 1


@app.orchestration_trigger()
async def innocent(context: OrchestrationContext, value: int) -> int:
    for _ in range(3):
        value = await context.call_activity(increment, value)
    return value


@app.orchestration_trigger()
async def listens(context: OrchestrationContext) -> Any:
    return await context.wait_for_external_event("word")


@app.orchestration_trigger()
async def listens_twice(context: OrchestrationContext) -> Any:
    await context.wait_for_external_event("first")
    context.set_custom_status("half way")
    return await context.wait_for_external_event("second")


@app.activity_trigger()
def opens(name: str) -> str:
    """Runs until somebody opens the pipe of this name for writing: longer than any host here."""
    _note(f"opens-{name}")
    with (_FOLDER / name).open(encoding="utf-8") as pipe:
        return pipe.read()


@app.orchestration_trigger()
async def patient(context: OrchestrationContext, name: str) -> str:
    text: str = await context.call_activity(opens, name)
    return text


# ---- activities that end their host --------------------------------------------------------------


@app.activity_trigger()
def ends_process(how: str) -> str:
    _note(how)
    if _is_mended():
        return f"{how}: mended"
    if how == "exit":
        os._exit(1)
    if how == "segfault":
        ctypes.string_at(0)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody gets here")


@app.orchestration_trigger()
async def deadly(context: OrchestrationContext, how: str) -> str:
    first: int = await context.call_activity(increment, 0)
    text: str = await context.call_activity(ends_process, how)
    return f"{first} {text}"


@app.orchestration_trigger()
async def deadly_itself(context: OrchestrationContext) -> str:
    """The orchestrator's own code ends the process, in its second turn."""
    await context.call_activity(increment, 0)
    if not _is_mended():
        os._exit(1)
    return "mended"


@app.activity_trigger(at_most_once=True)
def pays(name: str) -> NoReturn:
    _note(f"pays-{name}")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody gets here")


@app.orchestration_trigger()
async def buys(context: OrchestrationContext, name: str) -> str:
    """Would retry anything."""
    policy = RetryPolicy(timedelta(milliseconds=1), max_number_of_attempts=5)
    try:
        return await context.call_activity(pays, name, retry_policy=policy)
    except TaskFailedError as error:
        return error.details.error_type


# ---- orchestrators that only ruin themselves -----------------------------------------------------


@app.orchestration_trigger()
async def recurses(context: OrchestrationContext) -> int:
    await context.call_activity(increment, 0)

    def deeper(depth: int) -> int:
        return deeper(depth + 1) + 1

    return deeper(0)


@app.activity_trigger()
def recurses_too(depth: int) -> int:
    return recurses_too(depth + 1) + 1


@app.activity_trigger()
def gives_object() -> object:
    return object()


@app.activity_trigger()
async def gives_nested() -> list[Any]:
    """JSON, but nested deeper than any reader goes."""
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    return nested


@app.activity_trigger()
def gives_itself() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@app.activity_trigger()
def gives_half_a_character() -> str:
    return "\ud800"


@app.activity_trigger()
def gives_megabytes(count: int) -> str:
    return "x" * (count * MEGABYTE)


@app.activity_trigger()
def exits() -> NoReturn:
    sys.exit("an activity wants to end the host")


@app.activity_trigger()
async def exits_on_loop() -> NoReturn:
    sys.exit("a coroutine wants to end the host")


@app.activity_trigger()
async def interrupts() -> NoReturn:
    raise KeyboardInterrupt


ACTIVITIES = {
    "recurses_too": recurses_too,
    "gives_object": gives_object,
    "gives_nested": gives_nested,
    "gives_itself": gives_itself,
    "gives_half_a_character": gives_half_a_character,
    "gives_megabytes": gives_megabytes,
    "exits": exits,
    "exits_on_loop": exits_on_loop,
    "interrupts": interrupts,
}


@app.orchestration_trigger()
async def calls(context: OrchestrationContext, work: list[Any]) -> str:
    """Calls the activity of this name; what it fails with."""
    name, value = work
    try:
        await context.call_activity(name, value)
    except TaskFailedError as error:
        return error.details.error_type
    return "completed"


@app.orchestration_trigger()
async def returns_object(context: OrchestrationContext) -> object:
    await context.call_activity(increment, 0)
    return object()


@app.orchestration_trigger()
async def returns_itself(context: OrchestrationContext) -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@app.orchestration_trigger()
async def returns_nested(context: OrchestrationContext) -> list[Any]:
    return await gives_nested()


@app.orchestration_trigger()
async def returns_megabytes(context: OrchestrationContext, count: int) -> str:
    return "x" * (count * MEGABYTE)


@app.orchestration_trigger()
async def exits_itself(context: OrchestrationContext) -> None:
    await context.call_activity(increment, 0)
    sys.exit("an orchestrator wants to end the host")


@app.orchestration_trigger()
async def interrupts_itself(context: OrchestrationContext) -> None:
    await context.call_activity(increment, 0)
    raise KeyboardInterrupt("an orchestrator wants to interrupt the host")


@app.orchestration_trigger()
async def carries_on(context: OrchestrationContext) -> None:
    """Takes no error for an end."""
    while True:
        with suppress(Exception):
            await context.wait_for_external_event("never")


@app.orchestration_trigger()
async def never_lets_go(context: OrchestrationContext) -> None:
    """Takes not even its own end for an end."""
    while True:
        with suppress(BaseException):
            await context.wait_for_external_event("never")


@app.orchestration_trigger()
async def spins(context: OrchestrationContext) -> None:
    while True:
        pass


# ---- orchestrators that grow ---------------------------------------------------------------------


@app.orchestration_trigger()
async def hoards(context: OrchestrationContext, rounds: int) -> int:
    """Keeps what its activities give, some more each turn."""
    kept = [await context.call_activity(gives_megabytes, 1) for _ in range(rounds)]
    return sum(map(len, kept))


@app.orchestration_trigger()
async def snowballs(context: OrchestrationContext, text: str) -> None:
    """Each execution hands twice as much to the next one."""
    await context.call_activity(increment, 0)
    context.continue_as_new(text * 2)


@app.orchestration_trigger()
async def schedules_without_end(context: OrchestrationContext) -> None:
    """Each turn asks for more than the turn before, and one turn for more than is allowed."""
    width = 1
    while True:
        width *= 8
        await when_all([context.call_activity(increment, number) for number in range(width)])
