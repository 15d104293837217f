"""All kinds of bindings that there are: those of this package, and those of others.

Another package adds a kind by an entry point of the group `funchost.bindings`, which has the kind's
type as its name and a `BindingKind` as its value. Its code is run only when a function uses the
type, or when all kinds are listed. One that does not load is missing, with the reason; the others
are there. Types are compared without regard to case and are written as in their record.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from bindings import azure_names
from bindings.errors import FunctionDefinitionError
from bindings.functions import Binding, Direction
from bindings.kinds.activity import ACTIVITY_TRIGGER
from bindings.kinds.blob import BLOB, BLOB_TRIGGER
from bindings.kinds.durable_client import DURABLE_CLIENT, ORCHESTRATION_CLIENT
from bindings.kinds.entity import ENTITY_TRIGGER
from bindings.kinds.http import HTTP, HTTP_TRIGGER
from bindings.kinds.manual import MANUAL_TRIGGER
from bindings.kinds.orchestration import ORCHESTRATION_TRIGGER
from bindings.kinds.queue import QUEUE_TRIGGER
from bindings.kinds.queue_output import QUEUE
from bindings.kinds.records import BindingKind, Trigger
from bindings.kinds.table import TABLE
from bindings.kinds.timer import TIMER_TRIGGER
from bindings.kinds.warmup import WARMUP_TRIGGER

GROUP: Final = "funchost.bindings"

_BUILT_IN: Final = (
    ORCHESTRATION_TRIGGER,
    ACTIVITY_TRIGGER,
    ENTITY_TRIGGER,
    HTTP_TRIGGER,
    TIMER_TRIGGER,
    BLOB_TRIGGER,
    MANUAL_TRIGGER,
    WARMUP_TRIGGER,
    HTTP,
    BLOB,
    QUEUE_TRIGGER,
    QUEUE,
    ORCHESTRATION_CLIENT,
    DURABLE_CLIENT,
    TABLE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenKind:
    """An entry point that gives no kind, and why."""

    type: str
    source: str
    """The package and the object that the entry point names."""
    error: str


class KindRegistry:
    """Finds kinds by their type."""

    def __init__(
        self, built_in: Iterable[BindingKind], installed: Callable[[], Iterable[EntryPoint]]
    ) -> None:
        self._kinds = {kind.type.lower(): kind for kind in built_in}
        self._broken: list[BrokenKind] = []
        self._installed = installed
        self._entries: dict[str, EntryPoint] | None = None
        self._lock = threading.RLock()  # a module that is loaded may look up kinds itself

    def find(self, type_name: str) -> BindingKind | None:
        """The kind of this type, in any case; None if there is none, or it does not load."""
        folded = type_name.lower()
        kind = self._kinds.get(folded)
        if kind is None:
            with self._lock:
                entry = self._left().pop(folded, None)
                if entry is not None:
                    self._load(entry)
                kind = self._kinds.get(folded)
        return kind

    def add(self, kind: BindingKind) -> None:
        """Add a kind for the life of this process. Raises `ValueError` if its type is taken."""
        with self._lock:
            taken = self._kinds.get(kind.type.lower())
            if taken is not None and taken is not kind:
                raise ValueError(f"There is a binding kind '{taken.type}' already.")
            self._kinds[kind.type.lower()] = kind

    def broken(self, type_name: str) -> BrokenKind | None:
        """Why a kind of this type does not load; None if nobody tried."""
        return next((each for each in self._broken if each.type.lower() == type_name.lower()), None)

    def all_broken(self) -> tuple[BrokenKind, ...]:
        """Every entry point that gives no kind. Loads those that were not asked for yet."""
        self._load_all()
        return tuple(self._broken)

    def all_kinds(self) -> tuple[BindingKind, ...]:
        """Every kind, those of this package first. Loads those that were not asked for yet."""
        self._load_all()
        return tuple(self._kinds.values())

    def of_decorator(self, name: str) -> tuple[BindingKind, Direction] | None:
        """The kind that has a decorator of this name, and the direction of what it adds."""
        for kind in self.all_kinds():
            if name in kind.decorators:
                return kind, kind.decorators[name]
        return None

    def type_names(self) -> list[str]:
        """The types that functions may name; nothing is loaded."""
        with self._lock:
            waiting = [entry.name for entry in self._left().values()]
        return [kind.type for kind in self._kinds.values()] + waiting

    def _load_all(self) -> None:
        with self._lock:
            while waiting := self._left():
                self._load(waiting.pop(min(waiting)))

    def _left(self) -> dict[str, EntryPoint]:
        """The entry points that were not loaded yet, by type in lower case."""
        if self._entries is None:
            self._entries = {}
            for entry in self._installed():
                self._sort_in(entry, self._entries)
        return self._entries

    def _sort_in(self, entry: EntryPoint, entries: dict[str, EntryPoint]) -> None:
        folded = entry.name.lower()
        if folded in self._kinds or folded in entries:
            self._broken.append(_broken(entry, "There is another kind of this name."))
        else:
            entries[folded] = entry

    def _load(self, entry: EntryPoint) -> None:
        try:
            self.add(_loaded(entry))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - others' code: anything is raised
            self._broken.append(_broken(entry, f"{type(error).__name__}: {error}"))


def _loaded(entry: EntryPoint) -> BindingKind:
    kind = entry.load()
    if not isinstance(kind, BindingKind):
        raise TypeError(f"It is no BindingKind but {type(kind).__name__}.")
    if kind.type.lower() != entry.name.lower():
        raise ValueError(f"Its kind is '{kind.type}': give the entry point this name.")
    return kind


def _broken(entry: EntryPoint, error: str) -> BrokenKind:
    package = "an unknown package" if entry.dist is None else entry.dist.name
    return BrokenKind(type=entry.name, source=f"{package} ({entry.value})", error=error)


_COMMON_PROPERTIES: Final = ("dataType",)
KINDS: Final = KindRegistry(_BUILT_IN, lambda: entry_points(group=GROUP))


def kind_of(binding: Binding) -> BindingKind:
    """The kind of a binding. Raises `FunctionDefinitionError` if there is none."""
    kind = KINDS.find(binding.type)
    if kind is not None:
        return kind
    broken = KINDS.broken(binding.type)
    if broken is not None:
        raise FunctionDefinitionError(
            f"The binding type '{broken.type}' of {broken.source} does not load: {broken.error}"
        )
    hint = azure_names.TYPES.get(binding.type.lower())
    raise FunctionDefinitionError(
        f"The binding type '{binding.type}' is not supported{f' ({hint})' if hint else ''}. "
        f"Supported types: {', '.join(KINDS.type_names())}."
    )


def trigger_of(binding: Binding) -> Trigger:
    """What its kind says of a trigger. Raises `FunctionDefinitionError` if it is none."""
    trigger = kind_of(binding).trigger
    if trigger is None:
        raise FunctionDefinitionError(f"'{binding.type}' is no trigger.")
    return trigger


def usual_name(kind: BindingKind, property_name: str) -> str:
    """A property's name as the kind writes it; as it is given if the kind has none of that name."""
    folded = property_name.lower()
    names = (each for each in (*kind.properties, *_COMMON_PROPERTIES) if each.lower() == folded)
    return next(names, property_name)
