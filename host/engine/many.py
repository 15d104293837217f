"""Starting many instances: some at once, each with an outcome of its own, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import Final, TypeAlias, TypeVar

import msgspec

from bindings.errors import FunchostError
from host.engine.management import InstanceManager
from host.engine.starting import Begun, NewInstance

T = TypeVar("T")

AT_ONCE: Final = 256
"""So many are stored together: a store in groups writes them as one."""
_END: Final = object()

Wanted: TypeAlias = "NewInstance | FunchostError"
"""What an instance is to be, or what is wrong with that already."""


def numbered(new: NewInstance, number: int) -> NewInstance:
    """The `number`-th of many, whose key is derived from theirs, if they have one."""
    if new.idempotency_key is None:
        return new
    return msgspec.structs.replace(new, idempotency_key=f"{new.idempotency_key}.{number}")


async def start_all(
    instances: InstanceManager, wanted: Sequence[Wanted]
) -> list[Begun | FunchostError]:
    """Start these together: what became of each, or why it was not started."""
    return await asyncio.gather(*[_start(instances, each) for each in wanted])


async def _start(instances: InstanceManager, wanted: Wanted) -> Begun | FunchostError:
    if isinstance(wanted, FunchostError):
        return wanted
    try:
        return await instances.begin(wanted)
    except FunchostError as error:
        return error


async def groups(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[list[T]]:
    """The items in groups of at most `AT_ONCE`. Who has come waits for nobody who has not."""
    group: list[T] = []
    if isinstance(items, AsyncIterable):
        async for each, is_last in _with_pauses(items):
            group.append(each)
            if is_last or len(group) == AT_ONCE:
                yield group
                group = []
        return
    for item in items:
        group.append(item)
        if len(group) == AT_ONCE:
            yield group
            group = []
    if group:
        yield group


async def _with_pauses(items: AsyncIterable[T]) -> AsyncIterator[tuple[T, bool]]:
    """Each item, and whether the next one is not there at once."""
    iterator = aiter(items)
    coming = asyncio.ensure_future(_next(iterator))
    try:
        while (item := await coming) is not _END:
            coming = asyncio.ensure_future(_next(iterator))
            await asyncio.sleep(0)
            has_next = coming.done() and coming.exception() is None and coming.result() is not _END
            yield item, not has_next  # type: ignore[misc]
    finally:
        coming.cancel()


async def _next(iterator: AsyncIterator[T]) -> T | object:
    return await anext(iterator, _END)
