"""The critical section of one execution, and the rules that hold within one.

There is at most one: an orchestration that waits for a lock while it holds another could wait for
itself, by way of others. That calls go to locked entities alone, and that no child is started, has
the same reason: what it waits for within a section must never wait for the section. The rules hold
from the request on: when it is granted the code may be at something else.

After a rewind the code stands within a section whose locks are gone: they are asked for again,
under a new number, and the code is held until it has them. A call that was under way is made then,
and an activity that was in vain is asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from bindings.errors import OrchestrationError
from host.core.history import EntityOperationCalled, TaskScheduled


class Section:
    """A set of entities that was asked for, or is locked."""

    __slots__ = ("calls", "entities", "is_held", "task_id")

    def __init__(self, task_id: int, entities: tuple[str, ...]) -> None:
        self.task_id = task_id
        """The task that asked for it, which names it."""
        self.entities = entities
        self.is_held = False
        self.calls: dict[int, EntityOperationCalled] = {}
        """The calls that were made within, by their tasks."""


class Sections:
    """What an execution has asked for, holds and regains."""

    __slots__ = ("current", "is_regaining", "lost")

    def __init__(self) -> None:
        self.current: Section | None = None
        self.is_regaining = False
        """Whether the code is held since a rewind has taken its locks."""
        self.lost: dict[int, EntityOperationCalled | TaskScheduled] = {}
        """What is to be asked for once it has them again, by the new tasks."""

    @property
    def held(self) -> Section | None:
        """The section that the code is in."""
        section = self.current
        return section if section is not None and section.is_held else None

    def begin(self, section: Section) -> None:
        """Ask for a section."""
        self.current = section

    def check_free(self) -> None:
        """Raise `OrchestrationError` if there is one already."""
        if self.current is None:
            return
        stands = "is in" if self.current.is_held else "waits for"
        raise OrchestrationError(
            f"The orchestration {stands} a critical section already: two could wait for each other "
            "for ever. Leave it first, or lock all entities by one lock_entities(a, b, ...)."
        )

    def number_for_call(self, instance_id: str) -> int:
        """The section of a call; 0 outside. Raises `OrchestrationError` for one that may not be."""
        section = self.current
        if section is None:
            return 0
        if not section.is_held:
            raise OrchestrationError(
                f"The orchestration has asked for a lock and not awaited it: a call of "
                f"'{instance_id}' could wait for the critical section, and the section for the "
                "call. Await the lock before, or cancel it."
            )
        if instance_id not in section.entities:
            raise OrchestrationError(
                f"Within a critical section only locked entities are called, and '{instance_id}' "
                "is not: another section may have locked it and wait for this one. Name it in "
                "lock_entities, or call it before or after."
            )
        return section.task_id

    def note(self, call: EntityOperationCalled) -> None:
        """A call is made within the section."""
        if self.current is not None:
            self.current.calls[call.task_id] = call

    def check_signal(self, instance_id: str) -> None:
        """Raise `OrchestrationError` for a signal to an entity that is locked, or will be."""
        section = self.current
        if section is not None and instance_id in section.entities:
            raise OrchestrationError(
                f"'{instance_id}' is locked by this critical section: a signal would wait until "
                "its end. Call it, or signal it after."
            )

    def check_child(self) -> None:
        """Raise `OrchestrationError` for a sub-orchestration."""
        if self.current is not None:
            raise OrchestrationError(
                "No sub-orchestration is started within a critical section, nor while one is "
                "asked for: it could wait for the entities that are locked here. Start it before "
                "or after."
            )

    def check_held(self, section: Section) -> None:
        """Raise `OrchestrationError` if the section that the code leaves is still asked for."""
        if not section.is_held:
            raise OrchestrationError(
                "The entities are not locked yet. Await the lock before you release it, or "
                "cancel() it."
            )

    def grant(self, task_id: int) -> bool:
        """The entities are locked. Whether the code, which was held since a rewind, may go on."""
        section = self.current
        if section is None or section.task_id != task_id:
            return False
        section.is_held = True
        was_held, self.is_regaining = self.is_regaining, False
        return was_held

    def has(self, section: Section) -> bool:
        """Whether it is not over."""
        return self.current is section

    def end(self) -> None:
        """The section is over."""
        self.current = None

    def rewind(self, again: Mapping[int, int], on_grant: Iterable[TaskScheduled]) -> None:
        """What was asked in vain is asked for again, under other numbers."""
        section = self.current
        new_id = None if section is None else again.get(section.task_id)
        if section is None or new_id is None:
            return
        self.is_regaining |= section.is_held
        section.task_id, section.is_held = new_id, False
        made = {again[old]: call for old, call in section.calls.items() if old in again}
        self.lost |= made
        for task_id, deed in self.lost.items():
            if isinstance(deed, EntityOperationCalled):
                self.lost[task_id] = replace(deed, task_id=task_id, section=new_id)
        self.lost |= {task.task_id: task for task in on_grant}
        section.calls = {}

    def take_lost(self) -> Mapping[int, EntityOperationCalled | TaskScheduled]:
        """What is to be asked for now, by the tasks."""
        lost, self.lost = self.lost, {}
        for deed in lost.values():
            if isinstance(deed, EntityOperationCalled):
                self.note(deed)
        return lost
