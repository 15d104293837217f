"""Durable tasks: what an orchestrator awaits.

Rules of this file: a task is pending, then completed once, for ever, by whoever runs the
orchestrator. Completion walks upwards with a loop, never by recursion, because authors decide how
deep tasks nest. Nothing here knows a clock, an event loop or a history.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, Generic, TypeVar, cast

from bindings.errors import TaskCancelledError

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class DurableTask(Generic[T_co]):
    """Work whose completion is recorded in the history. Await it once or many times."""

    __slots__ = ("_error", "_is_complete", "_parents", "_result")

    def __init__(self) -> None:
        self._is_complete = False
        self._result: Any = None
        self._error: BaseException | None = None
        self._parents: list[CompositeTask[Any]] = []

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
        return cast("T_co", self._result)

    def get_exception(self) -> BaseException | None:
        """The error the task ended with, or None."""
        return self._error

    def __await__(self) -> Generator[DurableTask[Any], Any, T_co]:
        if not self._is_complete:
            # Whoever runs the orchestrator sends the result, or throws the error.
            return cast("T_co", (yield self))
        return self.get_result()


class CompositeTask(DurableTask[T_co]):
    """A task made of tasks. Subclasses decide in `_child_completed` whether it is complete."""

    __slots__ = ("_children",)

    def __init__(self, children: Iterable[DurableTask[Any]]) -> None:
        super().__init__()
        self._children = tuple(children)
        for child in self._children:
            if not isinstance(child, DurableTask):
                raise TypeError(
                    f"when_all and when_any take durable tasks, not {type(child).__name__}: "
                    "pass what context.call_activity(), create_timer() and the like return."
                )

    def _watch(self) -> None:
        for child in self._children:
            if child.is_completed:
                self._child_completed(child)
            else:
                child._parents.append(self)

    def _child_completed(self, child: DurableTask[Any]) -> bool:
        """Take note of `child`; True if this completed the composite just now."""
        raise NotImplementedError


class WhenAllTask(CompositeTask[list[T]]):
    """Completes when every child has; then holds all results, or the first failure."""

    __slots__ = ("_first_error", "_missing")

    def __init__(self, children: Iterable[DurableTask[T]]) -> None:
        super().__init__(children)
        self._missing = len(self._children)
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
        self._is_complete = True
        return True


class WhenAnyTask(CompositeTask[DurableTask[T]]):
    """Completes with the first child that completes; the result is that child."""

    __slots__ = ()

    def __init__(self, children: Iterable[DurableTask[T]]) -> None:
        super().__init__(children)
        if not self._children:
            raise ValueError("when_any needs at least one task: with none it would wait for ever.")
        self._watch()

    def _child_completed(self, child: DurableTask[Any]) -> bool:
        if self._is_complete:
            return False
        self._is_complete, self._result = True, child
        return True


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
        settle(self, error=TaskCancelledError("The task was cancelled."))
        return True


def settle(
    task: DurableTask[Any], result: Any = None, *, error: BaseException | None = None
) -> None:
    """Complete a task and every composite that this completes. For runtimes, not authors."""
    task._result, task._error, task._is_complete = result, error, True
    completed: list[DurableTask[Any]] = [task]
    while completed:
        child = completed.pop()
        parents, child._parents = child._parents, []
        completed.extend(parent for parent in parents if parent._child_completed(child))


def when_all(tasks: Iterable[DurableTask[T]]) -> DurableTask[list[T]]:
    """Wait for all tasks; then give the list of results, or raise the first failure."""
    return WhenAllTask(tasks)


def when_any(tasks: Iterable[DurableTask[T]]) -> DurableTask[DurableTask[T]]:
    """Wait for the first task to complete, also in failure, and give that task."""
    return WhenAnyTask(tasks)
