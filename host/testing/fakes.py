"""Fakes of activities: what runs in their place, with all that surrounds an activity left as it is.

The input is read as the activity's parameters say, and the result must fit its return annotation. A
fake that raises fails as the activity would, so retry policies apply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from functools import partial, wraps
from inspect import Parameter, isawaitable
from typing import Any

from bindings.errors import InvalidArgumentError
from bindings.kinds.records import Role
from bindings.signatures import shown, signature_of
from host.core import arguments
from host.core.converter import Converter
from host.core.failures import Caught
from host.core.functions import ActivityCall, ActivityFunction
from host.core.history import Payload
from host.core.records import ActivityKey
from host.engine.observer import (
    ActivityBegan,
    ActivityCancelled,
    ActivityCompleted,
    ActivityFailed,
    Observer,
)
from host.functions.activities import build_activity
from host.functions.bound_activities import InvokerSlot
from host.functions.catalog import Catalog
from host.functions.model import App, HostFunction
from host.testing.answers import NEVER, answer_of, is_function
from host.testing.http_fakes import HttpFake, means_http

MAX_ATTEMPTS = 1_000_000

_attempt: ContextVar[int] = ContextVar("attempt", default=1)
"""Which attempt runs: set when it begins, and its task runs in a copy of that context."""


class Fakes:
    """The activities of an app, as an `ActivityExecutor`: the fake ones, and else the real ones."""

    def __init__(
        self, app: App, catalog: Catalog, converter: Converter, slot: InvokerSlot | None = None
    ) -> None:
        """`slot` is where activities with other bindings find who runs them."""
        self.http: HttpFake | None = None
        """Who answers the requests of `call_http`."""
        self._slot = slot
        self._functions = {each.name: each for each in app.functions if each.role is Role.ACTIVITY}
        self._catalog = catalog
        self._converter = converter
        self._fakes: dict[str, dict[int | None, ActivityFunction]] = {}
        self._running: dict[ActivityKey, str] = {}
        self.observer = Observer(
            name="test kit",
            sees={
                ActivityBegan: self._began,
                ActivityCompleted: self._ended,
                ActivityFailed: self._ended,
                ActivityCancelled: self._ended,
            },
        )

    def running(self) -> list[str]:
        """What runs now, in words."""
        found = {(name, key.instance_id) for key, name in self._running.items()}
        return [f"activity '{name}' of '{instance_id}'" for name, instance_id in sorted(found)]

    def set(self, activity: Callable[..., Any] | str, what: Any, attempt: int | None) -> None:
        """Let this be the activity. Raises `InvalidArgumentError`."""
        if attempt is not None:
            arguments.whole(attempt, "An attempt", 1, MAX_ATTEMPTS)
        if what is NEVER:
            raise InvalidArgumentError("NEVER is for FakeContext: a host waits for what it runs.")
        if self.http is not None and means_http(activity) and activity not in self._functions:
            self.http.set(what, attempt)
            return
        function = self._function(activity)
        self._fakes.setdefault(function.name, {})[attempt] = self._built(function, what)

    def activity(self, name: str, /) -> ActivityFunction | None:
        """What runs as this activity; None if the app has none of this name."""
        real = self._catalog.activity(name)
        mine = None if real is None else self._fakes.get(real.name)
        return real if real is None or mine is None else _by_attempt(real, mine)

    def _function(self, activity: Callable[..., Any] | str) -> HostFunction:
        name = self._catalog.name_of(activity, Role.ACTIVITY)
        known = self._catalog.activity(arguments.text(name, "An activity's name"))
        if known is not None:
            return self._functions[known.name]
        if self._catalog.orchestrator(name) is not None:
            raise InvalidArgumentError(f"'{name}' is an orchestrator: only activities are faked.")
        names = ", ".join(sorted(self._functions)) or "none"
        raise InvalidArgumentError(f"The app has no activity '{name}' to fake; it has: {names}.")

    def _built(self, function: HostFunction, what: Any) -> ActivityFunction:
        real = function.declaration.function
        if is_function(what):
            _check_parameters(function.name, real, what)
        stand_in = _stand_in(real, answer_of(what))
        declaration = replace(function.declaration, function=stand_in)
        fake = replace(function, declaration=declaration)
        return build_activity(fake, self._converter, slot=self._slot)

    def _began(self, event: ActivityBegan) -> None:
        _attempt.set(event.scheduled.attempt)
        self._running[event.key] = event.scheduled.name

    def _ended(self, event: ActivityCompleted | ActivityFailed | ActivityCancelled) -> None:
        self._running.pop(event.key, None)


def current_attempt() -> int:
    """Which attempt of an activity runs here."""
    return _attempt.get()


def _by_attempt(
    real: ActivityFunction, fakes: dict[int | None, ActivityFunction]
) -> ActivityFunction:
    async def run(call: ActivityCall, payload: Payload) -> Payload | Caught:
        function = fakes.get(_attempt.get()) or fakes.get(None) or real
        if function.of_call is not None:
            function = function.of_call(call)
        if function.run is not None:
            return await function.run(payload)
        assert function.run_in_thread is not None  # noqa: S101 - one of the two is set
        return await asyncio.to_thread(function.run_in_thread, payload)

    def of_call(call: ActivityCall) -> ActivityFunction:
        return replace(real, run=partial(run, call), run_in_thread=None, of_call=None)

    return replace(real, run=None, run_in_thread=None, of_call=of_call)


def _stand_in(real: Callable[..., Any], answer: Callable[..., Any]) -> Callable[..., Any]:
    """An activity with the parameters of the real one that answers so."""
    signature = signature_of(real)

    @wraps(real)
    async def stand_in(*given: Any, **named: Any) -> Any:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        result = answer(*bound.args, **bound.kwargs)
        return await result if isawaitable(result) else result

    return stand_in


def _check_parameters(name: str, real: Callable[..., Any], fake: Callable[..., Any]) -> None:
    """Raise `InvalidArgumentError` for a fake that could not be called."""
    try:
        takes = signature_of(fake)
    except (ValueError, TypeError):  # a built-in need not say what it takes
        return
    parameters = signature_of(real).parameters.values()
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    given = [None for each in parameters if each.kind in positional]
    named = {each.name: None for each in parameters if each.kind is Parameter.KEYWORD_ONLY}
    try:
        takes.bind(*given, **named)
    except TypeError as error:
        raise InvalidArgumentError(
            f"The fake of activity '{name}' takes {shown(fake)} and the activity {shown(real)}: "
            "a fake is called with what the activity takes, in the same order."
        ) from error
