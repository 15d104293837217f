"""Critical sections: entities that nobody else uses while an orchestration has locked them."""

from __future__ import annotations

from collections.abc import Callable

from bindings.entity_ids import EntityId
from bindings.errors import OrchestrationError
from bindings.tasks import CancellableTask

MAX_LOCKED_ENTITIES = 100
"""No more entities are locked by one critical section: the request goes from one to the next."""


class CriticalSection:
    """Entities that are locked, until the end of the `with` block, `release` or the orchestration.

    Calls of these entities by others, and signals, wait until then.
    """

    __slots__ = ("_is_entered", "_is_over", "_release", "entities")

    def __init__(self, entities: tuple[EntityId, ...], release: Callable[[bool], None]) -> None:
        """`release` is told whether the code was let go of within the section."""
        self.entities = entities
        """The locked entities, in the order in which all sections lock them."""
        self._release = release
        self._is_entered = self._is_over = False

    def release(self) -> None:
        """Unlock the entities. To do it again is nothing."""
        self._release(False)
        self._is_over = True

    def __enter__(self) -> CriticalSection:
        """Raises `OrchestrationError` if it is over, or a block of it has begun."""
        if self._is_over:
            raise OrchestrationError(
                "The critical section is over: its entities are not locked any more. Lock them "
                "again by another lock_entities(...)."
            )
        if self._is_entered:
            raise OrchestrationError(
                "The code is in this critical section already: the end of a block within would "
                "unlock the entities before the end of the outer one. Leave the inner one out."
            )
        self._is_entered = True
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._release(kind is GeneratorExit)
        self._is_over = True


class LockTask(CancellableTask[CriticalSection]):
    """The wait for a critical section: `async with context.lock_entities(a, b) as section:`.

    In a generator it is `with (yield context.lock_entities(a, b)) as section:`. It can be awaited
    beside a timer by `when_any`; `cancel` takes the request back then.
    """

    __slots__ = ("_take_back", "section")

    def __init__(self, section: CriticalSection, take_back: Callable[[], None]) -> None:
        """`take_back` is called when the wait is cancelled, and may refuse that by raising."""
        super().__init__()
        self.section = section
        self._take_back = take_back

    def cancel(self) -> bool:
        """Take the request back; False if the entities are locked already, or it was cancelled."""
        if not self._is_complete:
            self._take_back()
        return super().cancel()

    async def __aenter__(self) -> CriticalSection:
        return (await self).__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.section.__exit__(kind)
