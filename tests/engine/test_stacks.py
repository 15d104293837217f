"""Whose code runs, also where Python wrote it: nothing of the host is broken into."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FrameType
from typing import Any, NamedTuple

from bindings import OrchestrationContext
from host.core.replay.author_code import Returned
from host.engine import stacks
from tests.kit.bench import Bench


@dataclass(frozen=True)
class Theirs:
    """A class of an author: these tests are no part of the host."""

    value: int


class TheirTuple(NamedTuple):
    value: int


async def orchestrator(context: OrchestrationContext) -> int:
    return Theirs(1).value + TheirTuple(2).value


def test_found_a7_what_python_writes_for_a_class_is_of_its_module() -> None:
    """An error that was raised in the `__init__` of a host's dataclass tore the host's turn."""
    seen: dict[str, bool] = {}

    def notice(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename == "<string>":
            own = type(next(iter(frame.f_locals.values()), None))
            name = own.__name__ if own is not type else frame.f_locals["_cls"].__name__
            seen[name] = stacks.is_in_author_code(outwards(frame))

    bench = Bench(orchestrator)
    sys.setprofile(notice)
    try:
        bench.turn()
    finally:
        sys.setprofile(None)
    assert bench.output == 3
    assert seen[Returned.__name__] is False
    assert seen[Theirs.__name__] is seen[TheirTuple.__name__] is True


def outwards(frame: FrameType | None) -> list[FrameType]:
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found
