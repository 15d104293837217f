"""Activities that have other bindings: inputs are given and outputs sent as for any function.

An activity may run again, after a crash or by its retry policy. So what its outputs write carries
an id that is made of its call: of a message or a row with that, the second time changes nothing,
where the service can tell.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any, TypeAlias

from bindings.errors import InvalidArgumentError
from bindings.signatures import wraps_async
from host.core.failures import Caught
from host.core.functions import ActivityCall
from host.core.history import Payload
from host.core.records import ActivityKey
from host.functions.binders import OtherBindings, end_call
from host.functions.invocation import Invoker
from host.functions.model import HostFunction
from host.functions.timeouts import at_most

Named: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class InvokerSlot:
    """Where the functions of an app find their host's parts: they are there once it serves."""

    invoker: Invoker | None = None
    send_http: Callable[[Payload], Awaitable[Payload | Caught]] | None = None
    """Sends the requests of `call_http`."""

    def get(self, name: str) -> Invoker:
        """The invoker. Raises `InvalidArgumentError` if nobody put one here."""
        if self.invoker is None:
            raise InvalidArgumentError(f"The activity '{name}' has bindings: it runs in a host.")
        return self.invoker


class BoundActivity:
    """Runs one activity with its other bindings.

    Raises `FunctionDefinitionError` for a binding whose kind cannot prepare it.
    """

    def __init__(
        self,
        function: HostFunction,
        slot: InvokerSlot,
        *,
        bind: Callable[[Payload], Named],
        write: Callable[[Any], Payload],
        contexts: Sequence[str],
        timeout: timedelta | None,
    ) -> None:
        """`bind` reads the input, as arguments by name; `write` makes the payload of a result."""
        self._function = function
        self._slot = slot
        self._bind = bind
        self._write = write
        self._contexts = contexts
        self._timeout = timeout
        self._others = OtherBindings(function)
        self._is_async = wraps_async(function.declaration.function)

    def of_call(self, activity_call: ActivityCall) -> Callable[[Payload], Awaitable[Payload]]:
        """What runs for one task."""
        return partial(self._run, activity_call)

    async def _run(self, activity_call: ActivityCall, payload: Payload) -> Payload:
        function = self._function
        invoker = self._slot.get(function.name)
        key = activity_call.key
        call = invoker.new_call(
            function,
            lambda: _data(function.declaration.trigger.name, payload, key),
            repeat_id=_repeat_id(key, activity_call.first_id),
        )
        try:
            async with at_most(self._timeout, function.name):
                arguments = self._bind(payload) | await self._others.arguments(call)
                context = function.new_context(activity_call.cancelled)
                arguments |= dict.fromkeys(self._contexts, context)
                result = await invoker.run(
                    function, arguments, is_async=self._is_async, is_activity=True
                )
            written = self._write(result)  # before the outputs: a result that is none sends nothing
            await self._others.finish(arguments, result, call)
            return written
        finally:
            end_call(call)


def _data(name: str, payload: Payload, key: ActivityKey) -> Mapping[str, object]:
    """The input by its name, its properties if it has some, and the instance's id."""
    value = None if payload is None else json.loads(payload)
    properties = value if isinstance(value, dict) else {}
    return {"instanceId": key.instance_id, name: value, **properties}


def _repeat_id(key: ActivityKey, first_id: int | None) -> str:
    """The same for each run of one call, all attempts included; 32 hexadecimal digits."""
    task_id = key.task_id if first_id is None else first_id
    text = json.dumps([key.instance_id, key.execution_id, task_id])
    return sha256(text.encode()).hexdigest()[:32]
