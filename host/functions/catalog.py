"""The catalog: what the core and the engine may run, found by name or by the author's function."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import timedelta
from types import FunctionType, MethodType
from typing import Any, NamedTuple, TypeVar

from bindings.errors import InvalidArgumentError
from bindings.kinds.records import Role
from bindings.shown_values import shown_value
from bindings.signatures import layers_of
from host.core.converter import Converter
from host.core.functions import ActivityFunction, FunctionCatalog, OrchestratorFunction
from host.functions.activities import build_activity
from host.functions.bound_activities import InvokerSlot
from host.functions.built_in import built_in_activities
from host.functions.limits import limit_use_of
from host.functions.model import App, HostFunction
from host.functions.operations import EntityFunction, build_entity
from host.functions.orchestrators import build_orchestrator

T = TypeVar("T")


class _ByName(dict[str, T | None]):
    """Looks up exactly, then without regard to case; None for what there is not."""

    def __init__(self, items: dict[str, T]) -> None:
        super().__init__(items)
        self._folded = {name.lower(): item for name, item in items.items()}

    def __missing__(self, name: str) -> T | None:
        return self._folded.get(name.lower())


class Known(NamedTuple):
    """A function that may be referred to."""

    name: str
    role: Role
    version: str = ""
    """The only one that it is for, if it is not for all."""


class Catalog(FunctionCatalog):
    """The orchestrators and activities of an app that are not disabled.

    `name_of` knows the disabled ones, too: what calls them waits for their return. Coroutine
    activities are cancelled when `timeout` is over. Activities with other bindings, and those that
    are built in, find the host's parts in the `slot`.
    """

    def __init__(
        self,
        app: App,
        converter: Converter,
        timeout: timedelta | None = None,
        slot: InvokerSlot | None = None,
    ) -> None:
        enabled = [function for function in app.functions if not function.is_disabled]
        orchestrators = _of_role(enabled, Role.ORCHESTRATOR)
        versions = sorted({each.version for each in orchestrators if each.version is not None})
        self._orchestrators = _of_version(None, orchestrators)
        self._of_version = {each: _of_version(each, orchestrators) for each in versions}
        self._orchestrator_names = sorted({each.name for each in orchestrators})
        slot = slot or InvokerSlot()
        self._activities: _ByName[ActivityFunction] = _ByName(
            {
                function.name: build_activity(function, converter, timeout, slot)
                for function in _of_role(enabled, Role.ACTIVITY)
            }
            | built_in_activities(slot)
        )
        self._entities = {
            function.name.lower(): build_entity(function, converter)
            for function in _of_role(enabled, Role.ENTITY)
        }
        self.names = _names_by_function(app)
        """What refers to a function, and the function's name and role."""
        self._called = {
            function: (known.name, self._activities[known.name])
            for function, known in self.names.items()
            if type(function) is FunctionType and known.role is Role.ACTIVITY
        }
        """Plain functions that are activities, as nearly all are."""
        self._app = app  # keeps the functions alive: their identities are keys

    def orchestrator(self, name: str, version: str | None = None) -> OrchestratorFunction | None:
        """The one of exactly this version, else the one without a version."""
        if version is not None and (of_version := self._of_version.get(version)) is not None:
            return of_version[name] or self._orchestrators[name]
        return self._orchestrators[name]

    def activity(self, name: str) -> ActivityFunction | None:
        """The activity of this name."""
        return self._activities[name]

    def entity(self, name: str, /) -> EntityFunction | None:
        """The entity of this name, in lower case."""
        return self._entities.get(name)

    def orchestrator_names(self) -> Sequence[str]:
        """All orchestrators, in order of name, each once."""
        return self._orchestrator_names

    @property
    def has_versions(self) -> bool:
        """Whether some of its functions are for one version only."""
        return bool(self._of_version)

    def versions_of(self, name: str) -> Sequence[str]:
        """The versions that there are functions for under this name, in order."""
        return [each for each, found in self._of_version.items() if found[name] is not None]

    def version_of(self, function: Callable[..., Any] | str) -> str | None:
        """For which version this function is, if only for one."""
        if isinstance(function, str) or not self.has_versions:
            return None
        known = self.find(function)
        return (known and known.version) or None

    def name_of(self, function: Callable[..., Any] | str, role: Role) -> str:
        """The registered name of an author's function; of a string the string itself."""
        if isinstance(function, str):
            return function
        return name_in(role, function, self.find(function))

    def called_activity(
        self, function: Callable[..., Any] | str
    ) -> tuple[str, ActivityFunction | None]:
        """The name of an activity that is called so, and the activity itself if it is here."""
        if type(function) is FunctionType and function in self._called:
            return self._called[function]
        return super().called_activity(function)

    def find(self, function: object) -> Known | None:
        """What is known of an author's function, by itself or by what else goes by it."""
        found = self.names.get(key_of(function))
        if found is None and callable(function):
            keys = map(key_of, _aliases(function))
            found = next(filter(None, map(self.names.get, keys)), None)
        return found


def name_in(role: Role, function: object, known: Known | None) -> str:
    """The name of a function that is known in this role. Raises `InvalidArgumentError`."""
    if known is None:
        name = getattr(function, "__name__", function)
        raise InvalidArgumentError(
            f"{shown_value(name)} is not a registered orchestrator, activity or entity: decorate "
            "it, register its blueprint, or pass the function's name."
        )
    if known.role is not role:
        raise InvalidArgumentError(f"'{known.name}' is an {_OF_ROLE[known.role]}.")
    return known.name


_OF_ROLE: Mapping[Role, str] = {
    Role.ORCHESTRATOR: "orchestrator: use call_sub_orchestrator",
    Role.ACTIVITY: "activity: use call_activity, in an orchestrator",
    Role.ENTITY: "entity: use call_entity, in an orchestrator",
}
"""What a function is that was used as another one, and what calls it."""


def _of_role(functions: Sequence[HostFunction], role: Role) -> list[HostFunction]:
    return [function for function in functions if function.role is role]


def _of_version(
    version: str | None, orchestrators: Sequence[HostFunction]
) -> _ByName[OrchestratorFunction]:
    of = [each for each in orchestrators if each.version == version]
    return _ByName({each.name: _orchestrator(each) for each in of})


def _orchestrator(function: HostFunction) -> OrchestratorFunction:
    return build_orchestrator(function.declaration, limit_use_of(function.declaration))


def _names_by_function(app: App) -> dict[Hashable, Known]:
    """What refers to which function: the registered callable itself, or what only it goes by."""
    durable = [
        *_of_role(app.functions, Role.ORCHESTRATOR),
        *_of_role(app.functions, Role.ACTIVITY),
        *_of_role(app.functions, Role.ENTITY),
    ]
    names: dict[Hashable, Known] = {}
    others: dict[Hashable, set[Known]] = {}
    for function in durable:
        known = Known(function.name, function.role, function.version or "")
        names.setdefault(key_of(function.declaration.function), known)
        for alias in _aliases(function.declaration.function):
            others.setdefault(key_of(alias), set()).add(known)
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
