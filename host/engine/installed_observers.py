"""Observers of other packages: each entry point of the group `funchost.observers` names one.

An installed package observes every host that its Python starts; whoever does not want that does
not install it. One that does not load harms nobody, and the log says which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from host.core.failures import in_words
from host.engine.observer import Observer, check

GROUP: Final = "funchost.observers"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenObserver:
    """An entry point that gives no observer, and why."""

    source: str
    """The package and the object that the entry point names."""
    error: str


def installed_observers(
    installed: Callable[[], Iterable[EntryPoint]] = lambda: entry_points(group=GROUP),
) -> tuple[list[Observer], list[BrokenObserver]]:
    """Those that load, and those that do not; by name, so that the order is not a matter of chance.

    Runs the code of all these packages.
    """
    working: list[Observer] = []
    broken: list[BrokenObserver] = []
    for entry in sorted(installed(), key=lambda entry: (entry.name, entry.value)):
        try:
            working.append(_loaded(entry))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - others' code: anything is raised
            package = "an unknown package" if entry.dist is None else entry.dist.name
            source = f"{package} ({entry.value})"
            broken.append(BrokenObserver(source=source, error=in_words(error)))
    return working, broken


def _loaded(entry: EntryPoint) -> Observer:
    observer = entry.load()
    if not isinstance(observer, Observer):
        raise TypeError(f"It is no Observer but {type(observer).__name__}.")
    check(observer)
    return observer
