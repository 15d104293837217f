"""The catalog: what the core and the engine may run, found by name or by the author's function."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import timedelta
from types import FunctionType, MethodType
from typing import Any, Generic, TypeVar

from bindings.errors import InvalidArgumentError
from bindings.kinds.records import Role
from bindings.signatures import layers_of
from host.core.converter import Converter
from host.core.functions import ActivityFunction, FunctionCatalog, OrchestratorFunction
from host.functions.activities import build_activity
from host.functions.model import App, HostFunction
from host.functions.orchestrators import build_orchestrator

T = TypeVar("T")


class _ByName(Generic[T]):
    """Looks up exactly, then without regard to case."""

    def __init__(self, items: dict[str, T]) -> None:
        self.names = sorted(items)
        self._items = items
        self._folded = {name.lower(): item for name, item in items.items()}

    def get(self, name: str) -> T | None:
        item = self._items.get(name)
        return item if item is not None else self._folded.get(name.lower())


class Catalog(FunctionCatalog):
    """The orchestrators and activities of an app that are not disabled.

    `name_of` knows the disabled ones, too: what calls them waits for their return. Coroutine
    activities are cancelled when `timeout` is over.
    """

    def __init__(self, app: App, converter: Converter, timeout: timedelta | None = None) -> None:
        enabled = [function for function in app.functions if not function.is_disabled]
        self._orchestrators: _ByName[OrchestratorFunction] = _ByName(
            {
                function.name: build_orchestrator(function.declaration)
                for function in _of_role(enabled, Role.ORCHESTRATOR)
            }
        )
        self._activities: _ByName[ActivityFunction] = _ByName(
            {
                function.name: build_activity(function, converter, timeout)
                for function in _of_role(enabled, Role.ACTIVITY)
            }
        )
        self.names = _names_by_function(app)
        """What refers to a function, and the function's name."""
        self._app = app  # keeps the functions alive: their identities are keys

    def orchestrator(self, name: str) -> OrchestratorFunction | None:
        """The orchestrator of this name."""
        return self._orchestrators.get(name)

    def activity(self, name: str) -> ActivityFunction | None:
        """The activity of this name."""
        return self._activities.get(name)

    def orchestrator_names(self) -> Sequence[str]:
        """All orchestrators, in order of name."""
        return self._orchestrators.names

    def name_of(self, function: Callable[..., Any] | str) -> str:
        """The registered name of an author's function; of a string the string itself."""
        if isinstance(function, str):
            return function
        name = self.names.get(key_of(function))
        if name is None and callable(function):
            keys = map(key_of, _aliases(function))
            name = next(filter(None, map(self.names.get, keys)), None)
        if name is not None:
            return name
        raise InvalidArgumentError(
            f"{getattr(function, '__name__', function)!r} is not a registered orchestrator or "
            "activity: decorate it, register its blueprint, or pass the function's name."
        )


def _of_role(functions: Sequence[HostFunction], role: Role) -> list[HostFunction]:
    return [function for function in functions if function.role is role]


def _names_by_function(app: App) -> dict[Hashable, str]:
    """What refers to which function: the registered callable itself, or what only it goes by."""
    durable = [
        *_of_role(app.functions, Role.ORCHESTRATOR),
        *_of_role(app.functions, Role.ACTIVITY),
    ]
    names: dict[Hashable, str] = {}
    others: dict[Hashable, set[str]] = {}
    for function in durable:
        names.setdefault(key_of(function.declaration.function), function.name)
        for alias in _aliases(function.declaration.function):
            others.setdefault(key_of(alias), set()).add(function.name)
    return {key: min(found) for key, found in others.items() if len(found) == 1} | names


def _aliases(function: Callable[..., Any]) -> Iterator[object]:
    """What else the function is: what it wraps, and of a callable object its method."""
    for layer in layers_of(function):
        yield layer
        if isinstance(layer, MethodType) and layer.__name__ == "__call__":
            yield layer.__self__
        if callable(layer) and not isinstance(layer, _PLAIN):
            yield getattr(layer, "__call__")  # noqa: B004, B009 - the bound method itself


_PLAIN = (FunctionType, MethodType, type)


def key_of(function: object) -> Hashable:
    """What a function is looked up by.

    Bound methods are made anew each time they are looked up, and are equal.
    """
    try:
        hash(function)
    except Exception:  # noqa: BLE001 - an author's object may raise anything
        return id(function)
    return function
