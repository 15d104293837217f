"""Runs the operations of entities: the executor of this process.

Operations run one after the other, on the event loop if the entity has coroutines, else all in one
thread. A batch is broken off when it takes long: what was done is stored then, and told to who
waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Protocol, TypeAlias, TypeVar

from bindings.entity_ids import EntityId
from host.clock import Clock
from host.core.converter import Converter
from host.core.entities.executor import (
    EntityContent,
    EntityOutput,
    Operate,
    Operation,
    OperationOutcome,
)
from host.core.failures import caught, in_words
from host.core.functions import FunctionCatalog, LimitUse
from host.core.history import Payload
from host.engine.own_context import begin_call
from host.engine.threads import WorkerThreads
from host.functions.entity_context import HostEntityContext
from host.functions.operations import EntityFunction
from host.functions.timeouts import at_most
from host.logs import HostLog
from host.running import RUNNING, Running, end_run

BATCH_S = 0.25
"""So long a batch goes on before what was done is stored."""
DEFAULT_THREADS = 100

ToldOfOperation: TypeAlias = Callable[[str, float, BaseException | None], None]
"""Hears of an operation: the entity's name, how many seconds it took, what it raised."""

_log = HostLog(__name__)

T = TypeVar("T")


class EntityCatalog(Protocol):
    """The entities that there are, and what they may refer to."""

    def entity(self, name: str, /) -> EntityFunction | None:
        """The entity of this name, in lower case."""

    def current(self) -> FunctionCatalog:
        """The other functions, as they are now."""


class EntityRunner:
    """An `EntityExecutor`."""

    def __init__(
        self,
        catalog: EntityCatalog,
        converter: Converter,
        clock: Clock,
        *,
        timeout: timedelta | None = None,
        threads: int = DEFAULT_THREADS,
        told: ToldOfOperation | None = None,
    ) -> None:
        """An operation fails that takes longer than `timeout`; `told` hears of each."""
        self._told = told
        self._catalog = catalog
        self._converter = converter
        self._clock = clock
        self._timeout = timeout
        self._threads = WorkerThreads(threads)

    def find(self, name: str, /) -> Operate | None:
        """Who does the operations of this entity, by the app as it is now."""
        entity = self._catalog.entity(name)
        return None if entity is None else partial(self._operate, entity)

    def limit_of(self, name: str, /) -> LimitUse | None:
        """The limit that this entity keeps to, by the app as it is now."""
        entity = self._catalog.entity(name)
        return None if entity is None else entity.limit

    def close(self) -> None:
        """Let the threads go; operations that still run there are not waited for."""
        self._threads.stop()

    def _operate(
        self,
        entity: EntityFunction,
        instance_id: str,
        content: EntityContent,
        operations: Sequence[Operation],
    ) -> Awaitable[EntityOutput]:
        make = partial(
            HostEntityContext,
            EntityId.parse(instance_id),
            catalog=self._catalog.current(),
            converter=self._converter,
            now=self._clock.now,
        )
        batch = _Batch(make, content, operations, self._clock)
        if self._timeout is None and not entity.has_async:
            # No coroutine: for an operation that takes no time its task would be most of the work.
            return self._in_thread(
                partial(_do_all, entity, batch), lambda _: self._output(entity, batch)
            )
        return self._do_each(entity, batch)

    def _output(self, entity: EntityFunction, batch: _Batch) -> EntityOutput:
        if self._told is not None:
            for took_s, error in batch.runs:
                self._told(entity.name, took_s, error)
        return EntityOutput(batch.content, batch.outcomes)

    async def _do_each(self, entity: EntityFunction, batch: _Batch) -> EntityOutput:
        for context in batch.contexts():
            is_async = entity.is_async(context.operation_name)
            try:
                async with at_most(self._timeout, entity.name):
                    if is_async:
                        result = await asyncio.create_task(_on_loop(entity, context))
                    else:
                        result = await self._in_thread(partial(_operated, entity, context), _as_is)
                batch.done(context, result)
            except BaseException as error:  # noqa: BLE001 - an author's code may raise anything
                _raise_if_cancelled(error)
                batch.failed(context, error)
        return self._output(entity, batch)

    def _in_thread(self, call: Callable[[], Any], answer: Callable[[Any], T]) -> asyncio.Future[T]:
        """What `answer` makes, on the loop, of what the call gives in a thread."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if future.done():  # nobody waits any more
                return
            if error is None:
                future.set_result(answer(result))
            else:
                future.set_exception(_raisable(error))

        self._threads.submit(lambda _: call(), None, done)
        return future


class _Batch:
    """What came of a batch so far."""

    def __init__(
        self,
        make: Callable[[Operation, EntityContent], HostEntityContext],
        content: EntityContent,
        operations: Sequence[Operation],
        clock: Clock,
    ) -> None:
        self.runs: list[tuple[float, BaseException | None]] = []
        """How long each operation took, and what it raised."""
        self._began_at = 0.0
        self.content = content
        self.outcomes: list[OperationOutcome] = []
        self._make = make
        self._operations = operations
        self._clock = clock

    def contexts(self) -> Iterator[HostEntityContext]:
        """Of each operation the context, on what the one before has left."""
        until = self._clock.monotonic() + BATCH_S
        for operation in self._operations:
            self._began_at = self._clock.monotonic()
            yield self._make(operation, self.content)
            if self._clock.monotonic() >= until:
                return

    def done(self, context: HostEntityContext, result: Payload) -> None:
        """The operation has returned: what it did counts."""
        self._note(None)
        self.content = context.content
        self.outcomes.append(OperationOutcome(result, deeds=context.deeds))

    def failed(self, context: HostEntityContext, error: BaseException) -> None:
        """The operation has raised: it has done nothing."""
        self._note(error)
        failed = caught(error)
        _log.warning(
            "The operation '%s' of '%s' failed: %s",
            context.operation_name,
            context.entity_id,
            failed,
            exc_info=failed.exc_info,
        )
        self.outcomes.append(OperationOutcome(failure=failed.details))

    def _note(self, error: BaseException | None) -> None:
        self.runs.append((self._clock.monotonic() - self._began_at, error))


async def _on_loop(entity: EntityFunction, context: HostEntityContext) -> Payload:
    """Run one operation in a task of its own: it may cancel that, and not the instance's."""
    begin_call()
    running = Running(entity.name, str(context.entity_id))
    RUNNING.set(running)
    try:
        result = entity.operate(context)
        return await result if isinstance(result, Awaitable) else result
    finally:
        end_run(running)


def _do_all(entity: EntityFunction, batch: _Batch) -> None:
    for context in batch.contexts():
        begin_call()
        try:
            result = _operated(entity, context)
            assert not isinstance(result, Awaitable)  # noqa: S101 - else it is not called here
            batch.done(context, result)
        except BaseException as error:  # noqa: BLE001 - an author's code may raise anything
            batch.failed(context, error)


def _operated(entity: EntityFunction, context: HostEntityContext) -> Any:
    """Do one operation in its thread."""
    running = Running(entity.name, str(context.entity_id))
    RUNNING.set(running)
    try:
        return entity.operate(context)
    finally:
        end_run(running)
        RUNNING.set(None)


def _as_is(result: Any) -> Any:
    return result


def _raisable(error: BaseException) -> BaseException:
    """The error as a future takes it: `StopIteration` would end whoever awaits it."""
    if not isinstance(error, StopIteration):
        return error
    told = RuntimeError(f"The operation raised {in_words(error)}.")
    told.__cause__ = error
    return told


def _raise_if_cancelled(error: BaseException) -> None:
    """Nobody waits any more: that is no failure of the operation. Raises `CancelledError`."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error
