"""Durable tasks: what an orchestrator awaits.

Rules of this file: a task is pending, then completed once, for ever, by whoever runs the
orchestrator. Completion walks upwards with a loop, never by recursion, because authors decide how
deep tasks nest. A composite that is completed is held by none of its children. Nothing here knows a
clock, an event loop or a history.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Generator, Iterable
from operator import attrgetter
from typing import Any, Generic, TypeVar

from bindings.errors import TaskCancelledError

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

_births = itertools.count()
_BIRTH = attrgetter("_birth")
"""The order in which tasks were made. Of composites that one task completes the youngest is seen to
first, on every replay."""


class DurableTask(Generic[T_co]):
    """Work whose completion is recorded in the history. Await it once or many times."""

    __slots__ = ("_birth", "_error", "_is_complete", "_parents", "_race", "_result")

    def __init__(self) -> None:
        self._birth = next(_births)
        self._is_complete = False
        self._result: Any = None
        self._error: BaseException | None = None
        self._parents: dict[CompositeTask[Any], None] | None = None
        self._race: _Race | None = None

    @property
    def is_completed(self) -> bool:
        """Whether a result or a failure is there (a cancelled task is completed, too)."""
        return self._is_complete

    @property
    def is_failed(self) -> bool:
        """Whether the task ended with an error."""
        return self._error is not None

    @property
    def result(self) -> T_co:
        """The result; raises the task's error if it failed, RuntimeError while it is pending."""
        return self.get_result()

    def get_result(self) -> T_co:
        """See `result`."""
        if not self._is_complete:
            raise RuntimeError("The task is not completed yet: await it before reading its result.")
        if self._error is not None:
            raise self._error
        result: T_co = self._result
        return result

    def get_exception(self) -> BaseException | None:
        """The error the task ended with, or None."""
        return self._error

    def __await__(self) -> Generator[DurableTask[Any], Any, T_co]:
        if not self._is_complete:
            # Whoever runs the orchestrator sends the result, or throws the error.
            result: T_co = yield self
            return result
        return self.get_result()


class CompositeTask(DurableTask[T_co]):
    """A task made of tasks. Subclasses decide in `_child_completed` whether it is complete."""

    __slots__ = ("_children",)

    def __init__(self, children: Iterable[DurableTask[Any]]) -> None:
        super().__init__()
        self._children = tuple(children)
        for child in self._children:
            if not isinstance(child, DurableTask):
                raise _not_a_task(child)

    def _watch(self) -> None:
        for child in dict.fromkeys(self._children):  # one that is given twice completes once
            if child._is_complete:
                self._child_completed(child)
            else:
                _add_parent(child, self)

    def _let_go(self) -> None:
        """Be told of no child any more."""
        for child in self._children:
            if child._parents is not None:
                child._parents.pop(self, None)
        self._children = ()

    def _child_completed(self, child: DurableTask[Any]) -> bool:
        """Take note of `child`; True if this completed the composite just now."""
        raise NotImplementedError


class WhenAllTask(CompositeTask[list[T]]):
    """Completes when every child has; then holds all results, or the first failure."""

    __slots__ = ("_first_error", "_missing")

    def __init__(self, children: Iterable[DurableTask[T]]) -> None:
        super().__init__(children)
        self._missing = len(set(self._children))
        self._first_error: BaseException | None = None
        if self._missing == 0:
            self._is_complete, self._result = True, []
        self._watch()

    def _child_completed(self, child: DurableTask[Any]) -> bool:
        self._missing -= 1
        if self._first_error is None:
            self._first_error = child.get_exception()
        if self._missing:
            return False
        self._error = self._first_error
        if self._error is None:
            self._result = [each.get_result() for each in self._children]
        self._is_complete, self._children = True, ()
        return True


class WhenAnyTask(CompositeTask[DurableTask[T]]):
    """Completes with the first child that completes; the result is that child.

    Of children that are completed already it is the first in the order they were given.
    """

    __slots__ = ("_as_parent_of", "_follows")

    def __init__(self, children: Iterable[DurableTask[T]]) -> None:
        super().__init__(())
        self._as_parent_of: list[DurableTask[Any]] = []
        """Children whose own race goes on: they tell this one as a parent."""
        tasks = list(children)
        if not tasks:
            raise ValueError("when_any needs at least one task: with none it would wait for ever.")
        race: _Race | None = getattr(tasks[0], "_race", None)
        if race is None or not race.is_over_for(tasks):
            race = _Race()
        self._follows: _Race | None = race
        race.go_on(self, tasks)

    def _child_completed(self, child: DurableTask[Any]) -> bool:
        if self._is_complete:
            return False
        self._is_complete, self._result = True, child
        for other in self._as_parent_of:
            if other._parents is not None:
                other._parents.pop(self, None)
        self._as_parent_of = []
        if self._follows is not None:
            self._follows.stop(child)
            self._follows = None
        return True


class _Race:
    """The tasks that one when_any follows, and after it the next one over those that are left.

    A loop that waits for n tasks one after the other makes n when_anys over ever fewer tasks. Each
    task signs up once for the race and not for every when_any, because the race is handed on.
    """

    __slots__ = ("_owner", "_tasks", "_winner")

    def __init__(self) -> None:
        self._owner: WhenAnyTask[Any] | None = None
        self._tasks: list[DurableTask[Any]] = []
        """All that have signed up; empty when the race cannot be handed on."""
        self._winner: DurableTask[Any] | None = None

    def is_over_for(self, tasks: list[Any]) -> bool:
        """Whether these are the tasks of a race that is over without its winner, and maybe more.

        Lists are compared as a whole, which is quick where they hold the same objects.
        """
        if self._owner is not None or self._winner is None or not self._tasks:
            return False
        self._remove(self._winner)
        self._winner = None
        kept = len(self._tasks)
        return self._tasks == (tasks if len(tasks) == kept else tasks[:kept])

    def go_on(self, owner: WhenAnyTask[Any], tasks: list[Any]) -> None:
        """Tell this when_any of the first of these tasks to end, or that has ended."""
        known = len(self._tasks)
        self._owner = owner
        if len(tasks) > known:
            self._tasks = tasks
        for task in tasks[known:]:
            if not isinstance(task, DurableTask):
                self._owner, self._tasks = None, []
                raise _not_a_task(task)
            if task._is_complete:
                owner._child_completed(task)
                self._tasks = []  # the others have not signed up
                return
            self._sign_up(owner, task)

    def stop(self, winner: DurableTask[Any] | None) -> None:
        """The when_any is complete: wait to be handed on."""
        self._owner, self._winner = None, winner

    def ended(self, task: DurableTask[Any]) -> WhenAnyTask[Any] | None:
        """One of the tasks has ended: the when_any that this completes."""
        owner = self._owner
        if owner is None:
            self._tasks = []  # nobody followed, so what is left is not what was there but one
        elif owner._child_completed(task):
            return owner
        return None

    def _remove(self, task: DurableTask[Any]) -> None:
        place = bisect_left(self._tasks, task._birth, key=_BIRTH)
        if place < len(self._tasks) and self._tasks[place] is task:
            del self._tasks[place]
        else:  # they are not in the order of their birth
            self._tasks.remove(task)

    def _sign_up(self, owner: WhenAnyTask[Any], task: DurableTask[Any]) -> None:
        race = task._race
        if race is None:
            task._race = self
        elif race._owner is None:
            task._race, race._tasks = self, []
        else:  # it is in a race that goes on, or twice in this one
            self._tasks = []
            if race is not self:
                _add_parent(task, owner)
                owner._as_parent_of.append(task)


def _not_a_task(child: object) -> TypeError:
    return TypeError(
        f"when_all and when_any take durable tasks, not {type(child).__name__}: "
        "pass what context.call_activity(), create_timer() and the like return."
    )


def _add_parent(child: DurableTask[Any], parent: CompositeTask[Any]) -> None:
    if child._parents is None:
        child._parents = {}
    child._parents[parent] = None


class CancellableTask(DurableTask[T_co]):
    """A timer or an event wait: it can be cancelled while it is pending."""

    __slots__ = ("_is_cancelled",)

    def __init__(self) -> None:
        super().__init__()
        self._is_cancelled = False

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` ended the task."""
        return self._is_cancelled

    def cancel(self) -> bool:
        """End the task now, durably and at once; False if it had completed before."""
        if self._is_complete:
            return False
        self._is_cancelled = True
        resolve(self, error=TaskCancelledError("The task was cancelled."))
        return True


def resolve(
    task: DurableTask[Any], result: Any = None, *, error: BaseException | None = None
) -> None:
    """Complete a task and every composite that this completes. For runtimes, not authors."""
    task._result, task._error, task._is_complete = result, error, True
    if task._parents is None and task._race is None:
        return  # it is no part of another one, as most are
    completed: list[DurableTask[Any]] = [task]
    while completed:
        child = completed.pop()
        parents, child._parents = child._parents, None
        race, child._race = child._race, None
        if parents is not None:
            done = [parent for parent in parents if parent._child_completed(child)]
            if race is not None and (winner_of := race.ended(child)) is not None:
                done.append(winner_of)
                done.sort(key=_BIRTH)
            completed += done
        elif race is not None and (winner_of := race.ended(child)) is not None:
            completed.append(winner_of)
