"""`when_all` and `when_any`: tasks made of tasks, for authors.

Most of this file is for type checkers. A tuple of up to six tasks keeps the type of each; of other
tasks they know what all have in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, overload

from bindings.tasks import DurableTask, WhenAllTask, WhenAnyTask

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
ATask = TypeVar("ATask", bound=DurableTask[Any])
BTask = TypeVar("BTask", bound=DurableTask[Any])
CTask = TypeVar("CTask", bound=DurableTask[Any])
DTask = TypeVar("DTask", bound=DurableTask[Any])
ETask = TypeVar("ETask", bound=DurableTask[Any])
FTask = TypeVar("FTask", bound=DurableTask[Any])


@overload
def when_all(  # type: ignore[overload-overlap]
    tasks: tuple[DurableTask[A], DurableTask[B]],
) -> DurableTask[tuple[A, B]]: ...


@overload
def when_all(  # type: ignore[overload-overlap]
    tasks: tuple[DurableTask[A], DurableTask[B], DurableTask[C]],
) -> DurableTask[tuple[A, B, C]]: ...


@overload
def when_all(  # type: ignore[overload-overlap]
    tasks: tuple[DurableTask[A], DurableTask[B], DurableTask[C], DurableTask[D]],
) -> DurableTask[tuple[A, B, C, D]]: ...


@overload
def when_all(  # type: ignore[overload-overlap]
    tasks: tuple[DurableTask[A], DurableTask[B], DurableTask[C], DurableTask[D], DurableTask[E]],
) -> DurableTask[tuple[A, B, C, D, E]]: ...


@overload
def when_all(  # type: ignore[overload-overlap]
    tasks: tuple[
        DurableTask[A],
        DurableTask[B],
        DurableTask[C],
        DurableTask[D],
        DurableTask[E],
        DurableTask[F],
    ],
) -> DurableTask[tuple[A, B, C, D, E, F]]: ...


@overload
def when_all(tasks: Iterable[DurableTask[A]]) -> DurableTask[list[A]]: ...


def when_all(tasks: Iterable[DurableTask[Any]], *more: object) -> DurableTask[Any]:
    """Wait for all tasks; then give the list of results, or raise the first failure.

    Type checkers see a tuple of results where a tuple of tasks is given, so that each result has
    its own type: `price, stock = await when_all((price_task, stock_task))`. It is a list, too.
    """
    return WhenAllTask(_all_of("when_all", tasks, more))


@overload
def when_any(tasks: tuple[ATask, BTask]) -> DurableTask[ATask | BTask]: ...


@overload
def when_any(tasks: tuple[ATask, BTask, CTask]) -> DurableTask[ATask | BTask | CTask]: ...


@overload
def when_any(
    tasks: tuple[ATask, BTask, CTask, DTask],
) -> DurableTask[ATask | BTask | CTask | DTask]: ...


@overload
def when_any(
    tasks: tuple[ATask, BTask, CTask, DTask, ETask],
) -> DurableTask[ATask | BTask | CTask | DTask | ETask]: ...


@overload
def when_any(
    tasks: tuple[ATask, BTask, CTask, DTask, ETask, FTask],
) -> DurableTask[ATask | BTask | CTask | DTask | ETask | FTask]: ...


@overload
def when_any(tasks: Iterable[ATask]) -> DurableTask[ATask]: ...


def when_any(tasks: Iterable[DurableTask[Any]], *more: object) -> DurableTask[Any]:
    """Wait for the first task to complete, also in failure, and give that task."""
    return WhenAnyTask(_all_of("when_any", tasks, more))


def _all_of(
    name: str, tasks: Iterable[DurableTask[Any]], more: Sequence[object]
) -> Iterable[DurableTask[Any]]:
    """The tasks, if they were given as one collection. Raises `TypeError`."""
    if more or not isinstance(tasks, Iterable):
        raise TypeError(f"{name} takes one list of tasks: write {name}([task, another]).")
    return tasks


class OlderNames:
    """`when_all` and `when_any` as methods, under their names in Durable Functions."""

    @overload
    def task_all(  # type: ignore[overload-overlap]
        self,
        tasks: tuple[DurableTask[A], DurableTask[B]],
    ) -> DurableTask[tuple[A, B]]: ...

    @overload
    def task_all(  # type: ignore[overload-overlap]
        self,
        tasks: tuple[DurableTask[A], DurableTask[B], DurableTask[C]],
    ) -> DurableTask[tuple[A, B, C]]: ...

    @overload
    def task_all(  # type: ignore[overload-overlap]
        self,
        tasks: tuple[DurableTask[A], DurableTask[B], DurableTask[C], DurableTask[D]],
    ) -> DurableTask[tuple[A, B, C, D]]: ...

    @overload
    def task_all(  # type: ignore[overload-overlap]
        self,
        tasks: tuple[
            DurableTask[A], DurableTask[B], DurableTask[C], DurableTask[D], DurableTask[E]
        ],
    ) -> DurableTask[tuple[A, B, C, D, E]]: ...

    @overload
    def task_all(  # type: ignore[overload-overlap]
        self,
        tasks: tuple[
            DurableTask[A],
            DurableTask[B],
            DurableTask[C],
            DurableTask[D],
            DurableTask[E],
            DurableTask[F],
        ],
    ) -> DurableTask[tuple[A, B, C, D, E, F]]: ...

    @overload
    def task_all(self, tasks: Iterable[DurableTask[A]]) -> DurableTask[list[A]]: ...

    def task_all(self, tasks: Iterable[DurableTask[Any]], *more: object) -> DurableTask[Any]:
        """`when_all`, under its name in Durable Functions."""
        return WhenAllTask(_all_of("task_all", tasks, more))

    @overload
    def task_any(self, tasks: tuple[ATask, BTask]) -> DurableTask[ATask | BTask]: ...

    @overload
    def task_any(self, tasks: tuple[ATask, BTask, CTask]) -> DurableTask[ATask | BTask | CTask]: ...

    @overload
    def task_any(
        self, tasks: tuple[ATask, BTask, CTask, DTask]
    ) -> DurableTask[ATask | BTask | CTask | DTask]: ...

    @overload
    def task_any(
        self, tasks: tuple[ATask, BTask, CTask, DTask, ETask]
    ) -> DurableTask[ATask | BTask | CTask | DTask | ETask]: ...

    @overload
    def task_any(
        self, tasks: tuple[ATask, BTask, CTask, DTask, ETask, FTask]
    ) -> DurableTask[ATask | BTask | CTask | DTask | ETask | FTask]: ...

    @overload
    def task_any(self, tasks: Iterable[ATask]) -> DurableTask[ATask]: ...

    def task_any(self, tasks: Iterable[DurableTask[Any]], *more: object) -> DurableTask[Any]:
        """`when_any`, under its name in Durable Functions."""
        return WhenAnyTask(_all_of("task_any", tasks, more))
