"""A task that a generator leads: several durable steps that are one task to authors."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

from bindings.tasks import CompositeTask, DurableTask, resolve

T = TypeVar("T")
Steps: TypeAlias = Generator[DurableTask[Any], Any, T]


class LedTask(CompositeTask[T]):
    """Waits for each task that its generator yields; what that returns or raises is its own end.

    The generator is led as an author's is: it gets the results, and errors are thrown into it.
    """

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        super().__init__(())
        self._steps: Steps[T] | None = None

    def _begin(self, steps: Steps[T]) -> None:
        """Lead it to its first task. What it raises by then is raised here."""
        first = next(steps)
        self._steps = steps
        self._follow(first)

    def _end(self, error: BaseException) -> None:
        """End the task from outside; the generator is not led on."""
        self._let_go()
        if self._steps is not None:
            self._steps.close()
        resolve(self, error=error)

    def _follow(self, task: DurableTask[Any]) -> None:
        self._children = (task,)
        self._watch()

    def _child_completed(self, child: DurableTask[Any]) -> bool:
        if self._is_complete or self._steps is None:
            return False
        try:
            error = child.get_exception()
            following = (
                self._steps.send(child.get_result()) if error is None else self._steps.throw(error)
            )
        except StopIteration as end:
            self._result = end.value
        except BaseException as raised:  # noqa: BLE001 - whoever awaits hears it
            self._error = raised
        else:
            self._follow(following)
            return False
        self._is_complete, self._children = True, ()
        self._ended()
        return True

    def _ended(self) -> None:
        """The generator has come to its end: what is left to be done."""
