"""A store whose operations are counted and timed.

Rules of this file: to look at a clock twice costs as much as a small operation does on this side.
So all calls are counted, the first ones of each operation are timed, and then one in `ONE_IN`,
which stands for as many.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from time import perf_counter
from typing import Any, Final, cast

from host.metrics.figures import Durations
from host.storage.protocol import HubStore

ALL_TIMED: Final = 64
ONE_IN: Final = 8
"""A power of two."""


class StoreTimes:
    """How often each operation was called, and how long it took."""

    def __init__(self) -> None:
        self.by_operation: dict[str, Operation] = {}

    def of(self, name: str) -> Operation:
        """The record of this operation."""
        return self.by_operation.setdefault(name, Operation())


class Operation:
    """One operation of the store."""

    __slots__ = ("count", "took")

    def __init__(self) -> None:
        self.count: Callable[[], int] = int
        self.took = Durations()

    @property
    def calls(self) -> int:
        """How often it was called."""
        return self.count()


def timed(store: HubStore, times: StoreTimes) -> HubStore:
    """The same store, with what is asked of it counted and timed."""
    return cast("HubStore", _TimedStore(store, times))


class _TimedStore:
    """What is asked for once is kept as an attribute, so that it costs no look-up again."""

    def __init__(self, store: HubStore, times: StoreTimes) -> None:
        self._store = store
        self._times = times

    def __getattr__(self, name: str) -> Any:
        if name in {"_store", "_times"}:
            raise AttributeError(name)
        found = getattr(self._store, name)
        if not iscoroutinefunction(found):
            return found  # as it is now: a property may be another one later
        call = _timed(found, self._times.of(name))
        self.__dict__[name] = call
        return call


def _timed(
    ask: Callable[..., Awaitable[Any]], operation: Operation
) -> Callable[..., Awaitable[Any]]:
    took = operation.took

    async def watched(weight: int, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        began = perf_counter()
        try:
            return await ask(*arguments, **named)
        finally:
            took.add_all((perf_counter() - began,) * weight)

    # What stands in variables of this function is found and changed faster than attributes are.
    calls, untimed = 0, 0

    def call(*arguments: Any, **named: Any) -> Awaitable[Any]:
        nonlocal calls, untimed
        calls += 1
        if calls & untimed:
            return ask(*arguments, **named)
        weight = untimed + 1
        if calls == ALL_TIMED:
            untimed = ONE_IN - 1
        return watched(weight, arguments, named)

    operation.count = lambda: calls
    return call
