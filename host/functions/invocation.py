"""Runs the functions that something outside triggers: an HTTP request, a person.

Arguments are bound by name. Coroutine functions run on the event loop, all others in threads. When
the function has returned, its client outputs start their orchestrations, in order; an error there
is an error of the invocation. Orchestrators and activities are run by the engine, not here.
"""

from __future__ import annotations

import asyncio
import contextvars
import typing
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from inspect import isawaitable
from typing import Any

from bindings.binding_types import (
    ACTIVITY_TRIGGER,
    CLIENT_TYPES,
    HTTP,
    MANUAL_TRIGGER,
    ORCHESTRATION_TRIGGER,
)
from bindings.client import DurableClient
from bindings.declaring import context_parameters
from bindings.errors import InvalidArgumentError
from bindings.functions import RETURN, Binding, Direction
from bindings.invocation import Out
from bindings.signatures import (
    hints_of,
    is_required,
    named_parameters,
    takes_any_name,
    wraps_async,
)
from host.core.converter import Converter
from host.core.failures import in_words
from host.engine.own_context import begin_call
from host.engine.threads import WorkerThreads
from host.functions.model import HostFunction
from host.functions.starts import start_requests
from host.functions.timeouts import at_most

DEFAULT_THREADS = 200


class Invoker:
    """Invokes functions with the value that triggered them."""

    def __init__(
        self,
        *,
        client: DurableClient,
        converter: Converter,
        timeout: timedelta | None = None,
        threads: int = DEFAULT_THREADS,
    ) -> None:
        self._client = client
        self._converter = converter
        self._timeout = timeout
        self._threads = WorkerThreads(threads)
        self._plans: dict[int, _Plan] = {}

    async def invoke(self, function: HostFunction, trigger_value: object) -> object:
        """Run the function; gives the value of its HTTP output, else what it returned.

        Raises whatever the function raises, `FunctionTimeoutError` if it takes too long, or
        `ClientError` for outputs that cannot be sent.
        """
        plan = self._plan(function)
        outs: dict[str, Out[object]] = {name: Out() for name in plan.outs}
        arguments = plan.arguments(trigger_value, self._client, self._converter)
        async with at_most(self._timeout, function.name):
            result = await self._call(plan, {**arguments, **outs})
        values = {name: out.get() for name, out in outs.items()} | {RETURN: result}
        for binding in plan.client_outputs:
            await self._start_all(values[binding.name], binding.name)
        return values[plan.http_output]

    def stop(self) -> None:
        """Let the threads go; functions that still run there are not waited for."""
        self._threads.stop()

    def _plan(self, function: HostFunction) -> _Plan:
        plan = self._plans.get(id(function))
        if plan is None:
            plan = self._plans[id(function)] = _Plan(function)
        return plan

    async def _call(self, plan: _Plan, arguments: Mapping[str, object]) -> object:
        begin_call()
        try:
            if plan.is_async:
                result: object = plan.call(**arguments)
            else:
                result = await self._call_in_thread(partial(plan.call, **arguments))
            return await result if isawaitable(result) else result
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise _exit_error(plan, error) from error  # the function's own, nobody cancelled it
        except Exception:
            raise
        except BaseException as error:  # would end the host, or nobody's answer would be sent
            raise _exit_error(plan, error) from error

    async def _call_in_thread(self, call: Callable[[], object]) -> object:
        future: asyncio.Future[tuple[object, BaseException | None]] = (
            asyncio.get_running_loop().create_future()
        )

        def done(result: object, error: BaseException | None) -> None:
            if not future.done():  # it is, if the caller went away
                future.set_result((result, error))

        self._threads.submit(contextvars.copy_context().run, call, done)
        result, error = await future
        if isinstance(error, StopIteration):  # cannot be raised in a coroutine
            raise RuntimeError(f"The function raised {in_words(error)}.") from error
        if error is not None:
            raise error
        return result

    async def _start_all(self, value: object, binding_name: str) -> None:
        for request in start_requests(value, binding_name):
            await self._client.schedule_new_orchestration(
                request.function_name, input=request.input, instance_id=request.instance_id
            )


class _Plan:
    """How to call one function: worked out once."""

    def __init__(self, function: HostFunction) -> None:
        declaration = function.declaration
        if declaration.trigger.type in (ORCHESTRATION_TRIGGER, ACTIVITY_TRIGGER):
            raise InvalidArgumentError(
                f"'{function.name}' is run by orchestrations: start an orchestration instead."
            )
        self.function = function  # kept alive: its identity is the plan's key
        self.call = declaration.function
        self.is_async = wraps_async(self.call)
        outputs = [each for each in declaration.bindings if each.direction is Direction.OUT]
        self.outs = [each.name for each in outputs if each.name != RETURN]
        self.client_outputs = [each for each in outputs if each.type in CLIENT_TYPES]
        self.http_output = next((each.name for each in outputs if each.type == HTTP), RETURN)
        self._clients = [
            each.name for each in declaration.bindings if each.direction is Direction.IN
        ]
        self._trigger = _Trigger(self.call, declaration.trigger)
        names = [declaration.trigger.name, *(each.name for each in declaration.bindings)]
        self._contexts = context_parameters(self.call, names)

    def arguments(
        self, trigger_value: object, client: DurableClient, converter: Converter
    ) -> dict[str, object]:
        """All arguments but the outputs."""
        context = self.function.new_context() if self._contexts else None
        return {
            **self._trigger.argument(trigger_value, converter),
            **dict.fromkeys(self._clients, client),
            **dict.fromkeys(self._contexts, context),
        }


class _Trigger:
    """Which argument the trigger's value becomes."""

    def __init__(self, function: Callable[..., Any], binding: Binding) -> None:
        self._name = binding.name
        parameter = named_parameters(function).get(binding.name)
        self._is_passed = parameter is not None or takes_any_name(function)
        self._has_default = parameter is not None and not is_required(parameter)
        hint = hints_of(function).get(binding.name, str)
        is_text = hint is str or str in typing.get_args(hint)
        self._json_type = None if is_text or binding.type != MANUAL_TRIGGER else hint

    def argument(self, value: object, converter: Converter) -> dict[str, object]:
        if not self._is_passed or (value is None and self._has_default):
            return {}
        if self._json_type is not None and isinstance(value, str | None):
            value = converter.from_payload(value, self._json_type, f"The input '{self._name}'")
        return {self._name: value}


def _exit_error(plan: _Plan, error: BaseException) -> RuntimeError:
    return RuntimeError(
        f"Function '{plan.function.name}' raised {in_words(error)}: a function ends by returning."
    )
