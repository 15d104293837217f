"""The app of a running host: versions that never change, and the one that counts now.

Whoever needs the app asks the registry each time and keeps nothing of it for later, but for work
that has begun: that ends on the version it began with. Everything here is for the event loop's
thread, so a change comes between two steps of others and never within one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MethodType
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from bindings.errors import FunctionDefinitionError
from bindings.kinds.records import Role
from host.core.converter import forget_types
from host.core.functions import ActivityFunction, FunctionCatalog, OrchestratorFunction
from host.functions.binders import CallPlan, OtherBindings
from host.functions.catalog import Catalog, Known, key_of, name_in
from host.functions.model import App, BrokenFunction, HostFunction
from host.functions.operations import EntityFunction

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppVersion(Generic[R]):
    """One state of the app, complete: what is made of it fits together, and is swapped together."""

    app: App
    catalog: Catalog
    routes: R
    """How requests find their function; of the type that HTTP makes."""
    plans: Mapping[str, CallPlan]
    """How triggered functions are called, by their names."""


class FunctionRegistry(FunctionCatalog, Generic[R]):
    """Gives the version that counts; as a catalog, that version's."""

    def __init__(self, version: AppVersion[R]) -> None:
        self._version = version
        self._has_versions = version.catalog.has_versions
        """Whether the app has, or ever had, functions that are for one version only."""
        self._followers: list[Callable[[], None]] = []
        self._former: WeakKeyDictionary[object, Known] = WeakKeyDictionary()

    @property
    def version(self) -> AppVersion[R]:
        """The version that counts now."""
        return self._version

    def swap(self, version: AppVersion[R]) -> None:
        """Let this version count from now on. Work that has begun goes on as it began."""
        for function, known in self._version.catalog.names.items():
            if _can_be_forgotten(function):
                self._former[function] = known
        self._version = version
        self._has_versions = self._has_versions or version.catalog.has_versions
        forget_types()
        for changed in self._followers:
            changed()

    def follow(self, changed: Callable[[], None]) -> None:
        """Call this after each swap."""
        self._followers.append(changed)

    def plan_of(self, function: HostFunction) -> CallPlan:
        """How this function is called. Raises as `CallPlan` does."""
        plan = self._version.plans.get(function.name)
        if plan is not None and plan.function is function:
            return plan
        return CallPlan(function)  # the version has changed since it was looked up

    def current(self) -> FunctionCatalog:
        """The catalog of the version that counts now; it never changes."""
        return self._version.catalog

    def orchestrator(self, name: str, version: str | None = None) -> OrchestratorFunction | None:
        """What leads instances of this name and version."""
        return self._version.catalog.orchestrator(name, version)

    def activity(self, name: str) -> ActivityFunction | None:
        """The activity of this name."""
        return self._version.catalog.activity(name)

    def entity(self, name: str, /) -> EntityFunction | None:
        """The entity of this name, in lower case."""
        return self._version.catalog.entity(name)

    def orchestrator_names(self) -> Sequence[str]:
        """All orchestrators, in order of name, each once."""
        return self._version.catalog.orchestrator_names()

    def versions_of(self, name: str) -> Sequence[str]:
        """The versions that there are functions for under this name, in order."""
        return self._version.catalog.versions_of(name)

    def version_of(self, function: Callable[..., Any] | str) -> str | None:
        """For which version this function is, if only for one."""
        if isinstance(function, str) or not self._has_versions:
            return None
        known = self._known(function)
        return (known and known.version) or None

    def name_of(self, function: Callable[..., Any] | str, role: Role) -> str:
        """The registered name of an author's function; of a string the string itself.

        A triggered function that began on a former version names functions of that one.
        """
        if isinstance(function, str):
            return function
        return name_in(role, function, self._known(function))

    def _known(self, function: Callable[..., Any]) -> Known | None:
        known = self._version.catalog.find(function)
        if known is None and _can_be_forgotten(key := key_of(function)):
            known = self._former.get(key)
        return known


def plan_calls(app: App) -> tuple[App, Mapping[str, CallPlan]]:
    """The app without the functions whose calls cannot be planned (they are broken); the plans.

    Those of activities are the catalog's: here it is only seen that they can be made.
    """
    plans: dict[str, CallPlan] = {}
    working: list[HostFunction] = []
    broken: list[BrokenFunction] = []
    for function in app.functions:
        try:
            if function.role is Role.TRIGGERED:
                plans[function.name] = CallPlan(function)
            else:
                OtherBindings(function)
        except FunctionDefinitionError as error:
            broken.append(
                BrokenFunction(name=function.name, directory=function.directory, error=str(error))
            )
        else:
            working.append(function)
    return replace(app, functions=tuple(working), broken=(*app.broken, *broken)), plans


def _can_be_forgotten(function: object) -> bool:
    """Whether it can be a key that goes with the last use of it, as a module's functions can.

    A bound method is made anew by each look-up, so nobody would keep the key.
    """
    has_references = getattr(type(function), "__weakrefoffset__", 0) != 0
    return has_references and not isinstance(function, MethodType)
