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


class StoreTimes:
    """How often each operation was called, and how long it took."""

    def __init__(self) -> None:
        self.by_operation: dict[str, Operation] = {}

    def of(self, name: str) -> Operation:
        """The record of this operation."""
        return self.by_operation.setdefault(name, Operation())


class Operation:
    """One operation of the store."""

    __slots__ = ("calls", "took")

    def __init__(self) -> None:
        self.calls = 0
        self.took = Durations()


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

    def call(*arguments: Any, **named: Any) -> Awaitable[Any]:
        operation.calls = calls = operation.calls + 1
        if calls <= ALL_TIMED:
            return watched(1, arguments, named)
        return ask(*arguments, **named) if calls % ONE_IN else watched(ONE_IN, arguments, named)

    return call
