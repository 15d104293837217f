"""The listeners of an app's functions: their start, their end, and what is wrong with them.

A listener that fails takes nothing with it: the others go on, and the host says which one it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from bindings.functions import Binding
from bindings.kinds.records import TriggerListener
from host.core.failures import in_words
from host.functions.invocation import Invoker
from host.functions.model import HostFunction
from host.functions.registry import FunctionRegistry
from host.logs import HostLog
from host.triggers.making import HostServices, has_listener, made_listener
from host.triggers.retries import Retries

_log = HostLog(__name__)

_CONNECTION = "connection"
"""The property of a trigger that names app settings which say where its source is."""


class Listeners:
    """Listens for all functions whose kind of trigger has a listener, but for disabled ones.

    When the app changes, the listeners of functions whose trigger stays as it was are not touched.
    """

    def __init__(
        self,
        registry: FunctionRegistry[Any],
        invoker: Invoker,
        services: HostServices,
        grace_s: float,
    ) -> None:
        """A listener that ends has `grace_s` seconds for what it has taken."""
        self._registry = registry
        self._invoker = invoker
        self._services = services
        self._grace_s = grace_s
        self._listened: dict[str, _Listened] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._stopping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen, side by side: one that takes long holds up nobody."""
        self._follow()
        self._registry.follow(self._follow)

    def begin_stop(self) -> None:
        """Begin to stop all; `stop` waits."""
        if self._stopping is None:
            for name in list(self._listened):
                self._leave(name)
            self._stopping = asyncio.create_task(self._stop())

    async def stop(self) -> None:
        """Stop all. Idempotent."""
        self.begin_stop()
        if self._stopping is not None:
            await self._stopping

    def problems(self) -> list[str]:
        """What keeps functions from being triggered, in words."""
        return [problem for each in self._listened.values() for problem in each.problems()]

    def shown(self, name: str) -> Mapping[str, str]:
        """What the listener of this function wants to be said of it; empty if there is none."""
        listened = self._listened.get(name)
        return {} if listened is None else listened.shown

    def look_anew(self, name: str) -> None:
        """What the hub keeps of this function's trigger was changed here: its listener is to see.

        One that has no `look_anew` is left alone.
        """
        if (listened := self._listened.get(name)) is not None:
            listened.look_anew()

    async def _stop(self) -> None:
        await asyncio.gather(*self._leaving.values())

    def _follow(self) -> None:
        """Listen for the functions that the app has now."""
        if self._stopping is not None:
            return
        wanted = {each.name: each for each in self._registry.version.app.functions if _heard(each)}
        for name, listened in list(self._listened.items()):
            if name not in wanted or not listened.is_for(wanted[name]):
                self._leave(name)
        for name, function in wanted.items():
            if name in self._listened:
                self._listened[name].function.replace(function)
            else:
                self._begin(function)

    def _begin(self, function: HostFunction) -> None:
        retries = Retries(self._invoker, self._services.clock)
        listened = _Listened(_Function(function, retries), self._services)
        self._listened[function.name] = listened
        listened.start(self._leaving.get(function.name))

    def _leave(self, name: str) -> None:
        task = asyncio.create_task(self._end(self._listened.pop(name), self._leaving.get(name)))
        self._leaving[name] = task
        task.add_done_callback(lambda _: self._left(name, task))

    async def _end(self, listened: _Listened, former: asyncio.Task[None] | None) -> None:
        await listened.stop(self._grace_s)
        if former is not None:
            await asyncio.wait([former])

    def _left(self, name: str, task: asyncio.Task[None]) -> None:
        if self._leaving.get(name) is task:
            del self._leaving[name]


def _heard(function: HostFunction) -> bool:
    """Whether there is a listener for it."""
    return has_listener(function.declaration.trigger) and not function.is_disabled


class _Function:
    """What a listener knows of its function. The app may change the code under it."""

    def __init__(self, function: HostFunction, retries: Retries) -> None:
        self._function = function
        self._retries = retries

    @property
    def name(self) -> str:
        return self._function.name

    @property
    def trigger(self) -> Binding:
        return self._function.declaration.trigger

    async def invoke(self, value: object) -> object:
        return await self._retries.run(lambda: self._function, value)

    def stop_retries(self) -> None:
        """Cancel runs that wait for their next try, from now on."""
        self._retries.stop()

    def is_like(self, other: HostFunction) -> bool:
        """Whether the same listener will do for it."""
        return other.declaration.trigger == self.trigger

    def replace(self, function: HostFunction) -> None:
        self._function = function


class _Listened:
    """One function and its listener, from the start of it to its end."""

    def __init__(self, function: _Function, services: HostServices) -> None:
        self.function = function
        self.shown: Mapping[str, str] = {}
        self._services = services
        self._listener: TriggerListener | None = None
        self._trouble = "it is still starting"
        self._has_failed = False
        self._place = self._place_now()
        """Where its connection leads, if it has one."""
        self._starting: asyncio.Task[None] | None = None

    def start(self, after: asyncio.Task[None] | None) -> None:
        """Begin to listen, when the function's former listener has gone."""
        self._starting = asyncio.create_task(self._start(after))

    def is_for(self, function: HostFunction) -> bool:
        """Whether the same listener will do for it: one that failed may fare better anew."""
        is_same = self.function.is_like(function) and self._place == self._place_now()
        return is_same and not self._has_failed

    def _place_now(self) -> object:
        connection = self.function.trigger.properties.get(_CONNECTION)
        return self._services.place_of(connection if isinstance(connection, str) else None)

    def problems(self) -> list[str]:
        if self._listener is None:
            found = [self._trouble]
        else:
            try:
                found = self._listener.problems()
            except Exception as error:  # noqa: BLE001 - it may be another package's code
                found = [f"its listener cannot say how it is: {in_words(error)}"]
        return [f"Nothing triggers the function '{self.function.name}': {each}" for each in found]

    def look_anew(self) -> None:
        look = getattr(self._listener, "look_anew", None)
        if look is not None:
            look()

    async def stop(self, grace_s: float) -> None:
        self.function.stop_retries()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting], timeout=grace_s)
        if self._listener is not None:
            await self._in_time(self._listener.stop(), grace_s)

    async def _start(self, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait([after])
        try:
            listener = made_listener(self.function, self._services, self._show)
            await listener.start()
        except Exception as error:  # noqa: BLE001 - see `problems`
            self._has_failed = True
            self._trouble = f"its listener does not start: {in_words(error)}"
            _log.exception("The listener of the function '%s' does not start", self.function.name)
        else:
            self._listener = listener

    def _show(self, facts: Mapping[str, str]) -> None:
        self.shown = dict(facts)

    async def _in_time(self, stop: Awaitable[None], grace_s: float) -> None:
        try:
            async with asyncio.timeout(grace_s):
                await stop
        except TimeoutError:
            _log.warning("The listener of '%s' was still busy and is left", self.function.name)
        except Exception:  # noqa: BLE001 - see `problems`
            _log.exception("The listener of the function '%s' does not stop", self.function.name)
