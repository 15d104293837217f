"""What an object keeps in memory, as the garbage collector finds it: with no look at its insides.

Left out is what all objects share: modules, classes, functions.
"""

from __future__ import annotations

import gc
from collections import deque
from types import BuiltinFunctionType, FunctionType, ModuleType

_SHARED = (ModuleType, type, FunctionType, BuiltinFunctionType)
_CONTAINERS = (dict, list, set, frozenset, deque)


def reachable(*roots: object, without: tuple[object, ...] = ()) -> list[object]:
    """All objects that these keep alive, themselves included, but nothing behind `without`."""
    seen = {id(each) for each in without}
    found: list[object] = []
    waiting = [*roots]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, _SHARED):
            continue
        seen.add(id(each))
        found.append(each)
        waiting += gc.get_referents(each)
    return found


def entries(*roots: object, without: tuple[object, ...] = ()) -> int:
    """How many entries all tables, lists and queues have that these keep alive."""
    objects = reachable(*roots, without=without)
    return sum(len(each) for each in objects if isinstance(each, _CONTAINERS))
