"""Runs the functions that something outside triggers: an HTTP request, a person.

Arguments are bound by name. Coroutine functions run on the event loop, all others in threads. When
the function has returned, its outputs are sent, in order; an error there is an error of the
invocation. Orchestrators and activities are run by the engine, not here.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from inspect import isawaitable
from typing import Protocol, TypeAlias

from bindings.client import DurableClient
from bindings.expressions import BindingData
from bindings.invocation import FIRST_TRY, RetryContext
from bindings.kinds.records import Call
from bindings.kinds.resources import NoResources, Resources
from host.clock import Clock, SystemClock
from host.core.converter import Converter
from host.core.failures import in_words
from host.engine.callers import ASKED_IN
from host.engine.own_context import begin_call
from host.engine.threads import Done, Outcome, WorkerThreads
from host.functions.binders import CallPlan, end_call
from host.functions.model import HostFunction
from host.functions.timeouts import at_most
from host.running import RUNNING, Running, end_run

DEFAULT_THREADS = 200


ToldOfRun: TypeAlias = Callable[[str, float, BaseException | None], None]
"""Hears of a run: the function's name, how many seconds it took, what it raised."""


class CallsElsewhere(Protocol):
    """Calls plain functions where they share no interpreter with the host."""

    def prepared(
        self, function: HostFunction, arguments: Mapping[str, object], /
    ) -> Callable[[], Awaitable[Outcome]] | None:
        """What calls it there; None if it has to be called in a thread of this process.

        The outputs among the arguments have their values when the call has ended.
        """


class Invoker:
    """Invokes functions with the value that triggered them."""

    def __init__(
        self,
        *,
        client: DurableClient,
        converter: Converter,
        resources: Resources | None = None,
        clock: Clock | None = None,
        timeout: timedelta | None = None,
        threads: int = DEFAULT_THREADS,
        plan_of: Callable[[HostFunction], CallPlan] = CallPlan,
        elsewhere: CallsElsewhere | None = None,
        told: ToldOfRun | None = None,
    ) -> None:
        """`plan_of` gives the plan for the calls of a function, which may be made once.

        `elsewhere` calls plain functions; None for threads. `told` hears of each run of a function
        that is no activity.
        """
        self._client = client
        self._converter = converter
        self._resources = resources or NoResources()
        self._clock = clock or SystemClock()
        self._timeout = timeout
        self._threads = WorkerThreads(threads)
        self._plan_of = plan_of
        self._elsewhere = elsewhere
        self._told = told

    def invoke(
        self, function: HostFunction, trigger_value: object, retry: RetryContext = FIRST_TRY
    ) -> Awaitable[object]:
        """Run the function; gives the value of its reply (HTTP output), else what it returned.

        Raises whatever the function raises, `FunctionTimeoutError` if it takes too long, or
        what its bindings raise, such as `ClientError` for orchestrations that cannot be started.
        """
        plan = self._plan_of(function)
        name = plan.only_argument
        if name is not None and trigger_value is not None and self._timeout is None:
            return self.run(function, {name: trigger_value}, is_async=plan.is_async)
        return self._invoke(plan, trigger_value, retry)

    async def _invoke(self, plan: CallPlan, trigger_value: object, retry: RetryContext) -> object:
        function = plan.function
        call = self.new_call(function, partial(plan.data, trigger_value), retry=retry)
        try:
            if self._timeout is None:
                arguments, result = await self._called(plan, trigger_value, call)
            else:
                async with at_most(self._timeout, function.name):
                    arguments, result = await self._called(plan, trigger_value, call)
            return await plan.finish(arguments, result, call)
        finally:
            end_call(call)

    async def _called(
        self, plan: CallPlan, trigger_value: object, call: Call
    ) -> tuple[Mapping[str, object], object]:
        """What the function was called with, and what it returned."""
        arguments = await plan.arguments(trigger_value, call)
        return arguments, await self.run(plan.function, arguments, is_async=plan.is_async)

    def new_call(
        self,
        function: HostFunction,
        data: Callable[[], Mapping[str, object]],
        repeat_id: str | None = None,
        retry: RetryContext = FIRST_TRY,
    ) -> Call:
        """What the bindings of one call see; `data` gives what expressions can name."""
        return Call(
            client=self._client,
            json=self._converter,
            resources=self._resources,
            data=BindingData(data, function_name=function.name, now=self._clock.now),
            repeat_id=repeat_id,
            retry=retry,
        )

    def submit(self, call: Callable[[], object], done: Done) -> None:
        """Run code of an author where it may block; `done` is called on the event loop."""
        self._threads.submit(contextvars.copy_context().run, call, done)

    async def run(
        self,
        function: HostFunction,
        arguments: Mapping[str, object],
        *,
        is_async: bool,
        is_activity: bool = False,
    ) -> object:
        """Call the author's function, on the loop or in a thread; gives what it returns."""
        if is_activity or self._told is None:
            return await self._run(function, arguments, is_async=is_async)
        began_at = self._clock.monotonic()
        raised: BaseException | None = None
        try:
            return await self._run(function, arguments, is_async=is_async)
        except Exception as error:
            raised = error
            raise
        finally:
            self._told(function.name, self._clock.monotonic() - began_at, raised)

    async def _run(
        self, function: HostFunction, arguments: Mapping[str, object], *, is_async: bool
    ) -> object:
        begin_call()
        before = running = RUNNING.get()
        if running is None or running.function != function.name:  # of an activity it is known
            asked = ASKED_IN.get()
            running = Running(function.name, trace_id="" if asked is None else asked.trace.trace_id)
        RUNNING.set(running)
        try:
            if is_async:
                result: object = function.declaration.function(**arguments)
            else:
                result = await self._call_plain(function, arguments)
            return await result if isawaitable(result) else result
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise _exit_error(function, error) from error  # its own: nobody cancelled it
        except Exception:
            raise
        except BaseException as error:  # would end the host, or nobody's answer would be sent
            raise _exit_error(function, error) from error
        finally:
            if running.printed:
                end_run(running)
            RUNNING.set(before)  # a connection's task serves other requests, too

    def stop(self) -> None:
        """Let the threads go; functions that still run there are not waited for."""
        self._threads.stop()

    async def _call_plain(self, function: HostFunction, arguments: Mapping[str, object]) -> object:
        there = None
        if self._elsewhere is not None:
            there = self._elsewhere.prepared(function, arguments)
        if there is None:
            return await self.in_thread(partial(function.declaration.function, **arguments))
        return _given(await there())

    async def in_thread(self, call: Callable[[], object]) -> object:
        """Run code of an author where it may block. Raises what it raises."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(result: object, error: BaseException | None) -> None:
            if not future.done():  # it is, if the caller went away
                future.set_result((result, error))

        self.submit(call, done)
        return _given(await future)


def _given(outcome: Outcome) -> object:
    """What a call gave. Raises what it raised."""
    result, error = outcome
    if isinstance(error, StopIteration):  # cannot be raised in a coroutine
        raise RuntimeError(f"The function raised {in_words(error)}.") from error
    if error is not None:
        raise error
    return result


def _exit_error(function: HostFunction, error: BaseException) -> RuntimeError:
    return RuntimeError(
        f"Function '{function.name}' raised {in_words(error)}: a function ends by returning."
    )
