"""What the log of a program may be, step by step: the program decides, and the world where it may.

Pure: functions of the program, the log, and what the world has seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.simulation.catalog import World
from tests.simulation.programs import Program, Step, may_fail

_CONSTANT = {
    "race": "raced",
    "timer": "rang",
    "status": "shown",
    "fail": "failed",
    "orphan": "left",
    "left": "left",
    "left-once": "left",
    "left-timer": "left",
}


def problems_of_log(program: Program, log: Any, world: World) -> Iterator[str]:
    """What is wrong with a finished program's log."""
    steps = program["steps"]
    rounds = program["rounds"] + 1
    if not isinstance(log, list) or len(log) != rounds * len(steps):
        yield f"a log of {rounds} rounds of {len(steps)} steps should not be {log!r}"
        return
    for number, entry in enumerate(log):
        place = number % len(steps)
        for problem in _problems_of_entry(steps[place], f".{place}", entry, world):
            yield f"step {number} {steps[place][0]}: {problem}"


def _problems_of_entry(step: Step, suffix: str, entry: Any, world: World) -> Iterator[str]:
    kind = step[0]
    if kind in _CONSTANT:
        if entry != _CONSTANT[kind]:
            yield f"is {entry!r}, not {_CONSTANT[kind]!r}"
    elif kind in {"act", "retry", "once", "breaks"}:
        if kind != "once" or entry != ["lost", "ActivityLostError"]:
            yield from _problems_of_work(entry, suffix, world)
    elif kind == "fan":
        yield from _problems_of_fan(step, suffix, entry, world)
    elif kind in {"wait", "send"}:
        expected = ["heard"] if kind == "wait" else ["sent", step[1]]
        is_there = isinstance(entry, list) and entry[: len(expected)] == expected
        if not (is_there or (kind == "wait" and entry == "silence")):
            yield f"is {entry!r}"
    else:
        yield from _problems_of_children(step, entry, world)


def _problems_of_work(entry: Any, suffix: str, world: World) -> Iterator[str]:
    if not isinstance(entry, str) or not entry.endswith(suffix):
        yield f"is {entry!r}"
    elif not world.ended[entry]:
        yield f"has the result of {entry}, which never ran"


def _problems_of_fan(step: Step, suffix: str, entry: Any, world: World) -> Iterator[str]:
    if not isinstance(entry, list) or len(entry) != len(step[1]):
        yield f"{entry!r} does not have {len(step[1])} results"
        return
    for number, each in enumerate(entry):
        yield from _problems_of_work(each, f"{suffix}.{number}", world)


def _problems_of_children(step: Step, entry: Any, world: World) -> Iterator[str]:
    programs = step[-1] if step[0] == "children" else [step[-1]]
    if isinstance(entry, list) and entry[:1] == ["child failed"]:
        allowed = {"ValueError"} if any(map(may_fail, programs)) else set()
        if step[0] == "named":  # others may have that id, and be terminated
            allowed |= {"InstanceAlreadyExistsError", "own id", "OrchestrationTerminated"}
        if entry[1] not in allowed:
            yield f"failed with {entry[1]}"
        return
    logs = entry if step[0] == "children" else [entry]
    if not isinstance(logs, list) or len(logs) != len(programs):
        yield f"is {entry!r}"
        return
    for program, log in zip(programs, logs, strict=True):
        yield from problems_of_log(program, log, world)


def sent_by(program: Program, log: Any) -> Iterator[tuple[str, str]]:
    """To whom a finished program sent what, in its own steps."""
    steps = program["steps"]
    for place, entry in enumerate(log):
        if steps[place % len(steps)][0] == "send":
            yield entry[1], entry[2]


def heard_by(program: Program, log: Any) -> Iterator[str]:
    """What a finished program heard, in its own steps."""
    steps = program["steps"]
    for place, entry in enumerate(log):
        if steps[place % len(steps)][0] == "wait" and entry != "silence":
            yield entry[1]
