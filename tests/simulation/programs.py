"""What is run: orchestrations as data.

A program is a list of steps; each leaves one entry in the log, which is the result. An entry is
decided by the program, except where something from outside decides (an event or its time-out, who
wins a race); `oracle` knows what each may be. A program may go round several times by
continue-as-new, carrying its log. Listeners gather events for ever, until they hear `STOP`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

Step: TypeAlias = list[Any]
Program: TypeAlias = dict[str, Any]

STOP = "stop"
ORCHESTRATORS = ("program", "listen")
ACTIVITIES = ("echo", "once", "fail", "flaky")
FUNCTIONS = (*ORCHESTRATORS, *ACTIVITIES)
LISTENERS = ("ears-0", "ears-1")
SHARED = ("shared-0", "shared-1")

MAX_DEPTH = 2
LEAVES = 0.3
"""How many programs leave something unawaited."""
BREAKS = 0.2
"""How many programs break."""
BREAKING = ("breaks", "depends")
LEAVING = ("left", "left", "left", "left-once", "left-timer")


def make_program(random: Random, depth: int = 0) -> Program:
    """A random program."""
    steps = [_step(random, depth) for _ in range(random.randint(1, 5 - depth))]
    rounds = random.choice((0, 0, 0, 1, 2)) if depth == 0 else random.choice((0, 0, 0, 1))
    fails = random.random() < 0.1
    if fails:
        steps.append(["raise"])
    return {"steps": steps, "rounds": 0 if fails else rounds, "left": 0 if fails else rounds}


def leave_some(random: Random, program: Program) -> Program:
    """The program, with steps that begin something and do not wait for it: some, or none.

    They are drawn apart from all else, so that a program without any is what it would be anyway.
    """
    steps = [_left_within(random, step) for step in program["steps"]]
    if random.random() < LEAVES:
        for _ in range(random.randint(1, 3)):
            kind = random.choice(LEAVING)
            steps.insert(random.randint(0, len(steps) - may_fail(program)), [kind, _long(random)])
    return program | {"steps": steps}


def break_some(random: Random, program: Program) -> Program:
    """The program, with a step that fails until it was tried often enough, or as it is.

    It says so by its name in `BREAKING`. A rewind begins again what has no result, and takes the
    last turn once more: so nothing in it, or in its children, begins at most once, and what fails
    anyway says nothing.
    """
    if random.random() >= BREAKS:
        return program
    steps = _without(program, _taken_again)["steps"]
    step: Step = ["breaks", random.randint(1, 3)]
    if random.random() < 0.5:
        within = [["act", 0.5], step, ["act", 0.0]]
        step = ["depends", {"steps": within, "rounds": 0, "left": 0}]
    steps.insert(random.randint(0, len(steps) - may_fail(program)), step)
    return program | {"steps": steps}


def movable(program: Program) -> Program:
    """The program without steps of which others hear, or that begin at most once.

    A copy of its history says and asks the same again, under the same words.
    """
    return _without(program, lambda _: _FIXED)


def _taken_again(program: Program) -> frozenset[str]:
    """The steps that must not be in it when it is rewound."""
    return _ONCE | {"send"} if may_fail(program) else _ONCE


def _without(program: Program, kinds: Callable[[Program], frozenset[str]]) -> Program:
    """The program without steps of some kinds, and so its children."""
    left = [step for step in program["steps"] if step[0] not in kinds(program)]
    steps = [_step_without(step, kinds) for step in left]
    return program | {"steps": steps or [["act", 0.5]]}


def _step_without(step: Step, kinds: Callable[[Program], frozenset[str]]) -> Step:
    if step[0] not in _WITH_CHILDREN:
        return step
    *rest, within = step
    if isinstance(within, list):
        return [*rest, [_without(each, kinds) for each in within]]
    return [*rest, _without(within, kinds)]


_ONCE = frozenset({"once", "left-once"})
_FIXED = _ONCE | {"send", "named"}


def may_break(program: Program) -> bool:
    """Whether the program fails until it was rewound often enough."""
    return any(step[0] in BREAKING for step in program["steps"])


def _left_within(random: Random, step: Step) -> Step:
    """The step, with the same done to the programs of its children."""
    if step[0] not in _WITH_CHILDREN:
        return step
    *rest, within = step
    if isinstance(within, list):
        return [*rest, [leave_some(random, each) for each in within]]
    return [*rest, leave_some(random, within)]


def _long(random: Random) -> float:
    return random.choice((0.0, 0.5, 3, 8, 25, 40))


def make_listener(random: Random) -> Program:
    """A program that gathers events."""
    return {
        "per_round": random.randint(1, 6),
        "works": random.choice(("none", "activity", "timer")),
    }


def may_fail(program: Program) -> bool:
    """Whether the program ends with an error."""
    return bool(program["steps"][-1] == ["raise"])


def _step(random: Random, depth: int) -> Step:
    kinds = _PLAIN if depth >= MAX_DEPTH else (*_PLAIN, *_WITH_CHILDREN)
    kind = random.choice(kinds)
    return [kind, *_ARGUMENTS[kind](random, depth)]


def _duration(random: Random) -> float:
    return random.choice((0.0, 0.0, 0.01, 0.5, 3, 8, 25))


def _deep(random: Random) -> Program:
    return make_program(random, MAX_DEPTH)


_PLAIN = ("act", "act", "once", "fan", "race", "fail", "retry", "timer", "wait", "send", "status")
_WITH_CHILDREN = ("child", "child", "children", "orphan", "named")
_ARGUMENTS: dict[str, Callable[[Random, int], list[Any]]] = {
    "act": lambda random, _: [_duration(random)],
    "once": lambda random, _: [_duration(random)],
    "fan": lambda random, _: [[_duration(random) for _ in range(random.randint(2, 5))]],
    "race": lambda random, _: [_duration(random), random.randint(1, 10)],
    "fail": lambda random, _: [],
    "retry": lambda random, _: [random.randint(1, 2), random.randint(0, 5)],
    "timer": lambda random, _: [random.choice((0, 1, 3, 10, 30))],
    "wait": lambda random, _: [random.choice("AaB"), random.choice((1, 5, 20, 40))],
    "send": lambda random, _: [random.choice(LISTENERS)],
    "status": lambda random, _: [],
    "child": lambda random, depth: [make_program(random, depth + 1)],
    "children": lambda random, _: [[_deep(random) for _ in range(2)]],
    "orphan": lambda random, _: [_deep(random)],
    "named": lambda random, _: [random.choice(SHARED), _deep(random)],
}
