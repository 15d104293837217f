"""The listeners of an app's functions: their start, their end, and what is wrong with them.

A listener that fails takes nothing with it: the others go on, and the host says which one it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from bindings.functions import Binding
from bindings.kinds.records import TriggeredFunction, TriggerListener
from host.core.failures import in_words
from host.functions.invocation import Invoker
from host.functions.model import HostFunction
from host.logs import HostLog

_log = HostLog(__name__)


class Listeners:
    """Listens for all functions whose kind of trigger has a listener, but for disabled ones."""

    def __init__(self, functions: Iterable[HostFunction], invoker: Invoker) -> None:
        self._listened = [
            _Listened(_Function(function, invoker), function.trigger.listen)
            for function in functions
            if function.trigger.listen is not None and not function.is_disabled
        ]
        self._stopping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen, side by side: one that takes long holds up nobody."""
        for each in self._listened:
            each.start()

    def begin_stop(self, grace_s: float) -> None:
        """Begin to stop all, each with so many seconds for what it has taken; `stop` waits."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(grace_s))

    async def stop(self, grace_s: float) -> None:
        """Stop all. Idempotent."""
        self.begin_stop(grace_s)
        if self._stopping is not None:
            await self._stopping

    def problems(self) -> list[str]:
        """What keeps functions from being triggered, in words."""
        return [problem for each in self._listened for problem in each.problems()]

    async def _stop(self, grace_s: float) -> None:
        await asyncio.gather(*(each.stop(grace_s) for each in self._listened))


@dataclass(frozen=True, slots=True)
class _Function:
    """What a listener knows of its function."""

    _function: HostFunction
    _invoker: Invoker

    @property
    def name(self) -> str:
        return self._function.name

    @property
    def trigger(self) -> Binding:
        return self._function.declaration.trigger

    async def invoke(self, value: object) -> object:
        return await self._invoker.invoke(self._function, value)


class _Listened:
    """One function and its listener, from the start of it to its end."""

    def __init__(
        self, function: _Function, listen: Callable[[TriggeredFunction], TriggerListener]
    ) -> None:
        self._function = function
        self._listen = listen
        self._listener: TriggerListener | None = None
        self._trouble = "it is still starting"
        self._starting: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._starting = asyncio.create_task(self._start())

    def problems(self) -> list[str]:
        if self._listener is None:
            found = [self._trouble]
        else:
            try:
                found = self._listener.problems()
            except Exception as error:  # noqa: BLE001 - it may be another package's code
                found = [f"its listener cannot say how it is: {in_words(error)}"]
        return [f"Nothing triggers the function '{self._function.name}': {each}" for each in found]

    async def stop(self, grace_s: float) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting], timeout=grace_s)
        if self._listener is not None:
            await self._in_time(self._listener.stop(), grace_s)

    async def _start(self) -> None:
        try:
            listener = self._listen(self._function)
            await listener.start()
        except Exception as error:  # noqa: BLE001 - see `problems`
            self._trouble = f"its listener does not start: {in_words(error)}"
            _log.exception("The listener of the function '%s' does not start", self._function.name)
        else:
            self._listener = listener

    async def _in_time(self, stop: Awaitable[None], grace_s: float) -> None:
        try:
            async with asyncio.timeout(grace_s):
                await stop
        except TimeoutError:
            _log.warning("The listener of '%s' was still busy and is left", self._function.name)
        except Exception:  # noqa: BLE001 - see `problems`
            _log.exception("The listener of the function '%s' does not stop", self._function.name)
