"""Every kind of store that there is, by its name: those of this package, and those of others.

Another package adds one by an entry point of the group `funchost.stores`, which has the kind's name
and a `StoreKind` as its value; code of this process adds one to `STORES`.

Rules of this file: nothing is opened here. A driver is imported when it is asked for, so nobody
pays for one that is not used, nor looks for other packages as long as a kind is ours. Which store
is meant must never be a matter of chance: a name that is not certain is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from host.errors import ConfigurationError
from host.storage.kinds import StoreKind

GROUP: Final = "funchost.stores"

_BUILT_IN: Final = (
    EntryPoint("sqlite", "host.storage.sqlite.kind:SQLITE", GROUP),
    EntryPoint("memory", "host.storage.memory:MEMORY", GROUP),
    EntryPoint("aws", "host.storage.aws.kind:AWS [aws]", GROUP),
)


class StoreKinds:
    """Finds kinds of stores by their name, which is in lower case."""

    def __init__(
        self, built_in: Iterable[EntryPoint], installed: Callable[[], Iterable[EntryPoint]]
    ) -> None:
        self._built_in = {entry.name: entry for entry in built_in}
        self._installed = installed
        self._added: dict[str, StoreKind] = {}

    def add(self, kind: StoreKind) -> None:
        """Add a kind for the life of this process. Raises `ValueError` if its name is taken."""
        if self.knows(kind.name):
            raise ValueError(f"There is a storage '{kind.name}' already.")
        self._added[kind.name] = kind

    def knows(self, name: str) -> bool:
        """Whether there is a kind of this name; it is not loaded."""
        return name in self._built_in or name in self._added or name in self._names_of_others()

    def names(self) -> list[str]:
        """The names of all kinds, ours first; none is loaded."""
        ours = [*self._built_in, *self._added]
        return [*ours, *sorted(self._names_of_others().difference(ours))]

    def find(self, name: str) -> StoreKind:
        """The kind of this name. Raises `ConfigurationError` if it is not there or does not load.

        A package cannot take the place of a kind that is built in or was added.
        """
        if name in self._added:
            return self._added[name]
        return _loaded(self._built_in.get(name) or self._of_others(name))

    def _names_of_others(self) -> set[str]:
        return {entry.name for entry in self._installed()}

    def _of_others(self, name: str) -> EntryPoint:
        match [entry for entry in self._installed() if entry.name == name]:
            case [entry]:
                return entry
            case []:
                raise ConfigurationError(
                    f"Unknown storage '{name}': choose one of {', '.join(self.names())}."
                )
            case several:
                raise ConfigurationError(
                    f"There are several storages '{name}': "
                    f"{', '.join(sorted(map(_source, several)))}. Remove all but one."
                )


def _loaded(entry: EntryPoint) -> StoreKind:
    try:
        kind = entry.load()
    except (Exception, SystemExit) as error:  # others' code: anything is raised
        raise ConfigurationError(_load_problem(entry, error)) from error
    if not isinstance(kind, StoreKind) or kind.name != entry.name:
        raise ConfigurationError(
            f"The storage '{entry.name}' of {_source(entry)} is no StoreKind of this name."
        )
    return kind


def _load_problem(entry: EntryPoint, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and entry.extras:
        package = "funchost" if entry.dist is None else entry.dist.name
        return (
            f"The storage '{entry.name}' needs the package '{error.name}': "
            f"{sys.executable} -m pip install '{package}[{entry.extras[0]}]'"
        )
    return (
        f"The storage '{entry.name}' of {_source(entry)} does not load: "
        f"{type(error).__name__}: {error}"
    )


def _source(entry: EntryPoint) -> str:
    package = "funchost" if entry.dist is None else entry.dist.name
    return f"{package} ({entry.value})"


STORES: Final = StoreKinds(_BUILT_IN, lambda: entry_points(group=GROUP))
