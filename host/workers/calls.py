"""Which functions run in worker processes, and how they are called there.

Plain functions do, if what they are given can be sent. `async def` functions stay on the event
loop. What stays for another reason runs in a thread, and the log says so once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any, Final

from bindings.functions import Binding
from bindings.invocation import Out
from bindings.kinds.records import Role
from bindings.kinds.registry import kind_of
from bindings.signatures import hints_of, wraps_async
from bindings.streams import StreamingResponse
from host.clock import Clock
from host.core.failures import Caught, in_words
from host.core.functions import ActivityCall, ActivityFunction
from host.core.history import Payload
from host.engine.threads import Outcome
from host.functions.model import App, HostFunction
from host.functions.registry import AppVersion, FunctionRegistry
from host.functions.timeouts import at_most
from host.logs import HostLog
from host.running import RUNNING
from host.workers.errors import ResultStaysError
from host.workers.frames import CallFunction, Completed, Failed, Returned, RunActivity
from host.workers.pool import WorkerPool
from host.workers.travelling import outputs_of, pack, unpack, unpack_failure

GRACE_S: Final = 10.0
"""How long a function may go on that was told that nobody waits for it any more."""

_log = HostLog(__name__)


class WorkerActivities:
    """Runs plain activities in worker processes. An `ActivityExecutor`."""

    def __init__(
        self, registry: FunctionRegistry[Any], pool: WorkerPool, timeout: timedelta | None
    ) -> None:
        self._registry = registry
        self._pool = pool
        self._timeout = timeout
        self._plain: tuple[AppVersion[Any], frozenset[str]] | None = None

    def activity(self, name: str, /) -> ActivityFunction | None:
        """The activity of this name; None if the app has none."""
        found = self._registry.activity(name)
        if found is None or found.name not in self._plain_names():
            return found
        of_call = partial(self._of_call, found)
        return replace(found, run=None, run_in_thread=None, of_call=of_call)

    def _plain_names(self) -> frozenset[str]:
        version = self._registry.version
        if self._plain is None or self._plain[0] is not version:
            plain = frozenset(each.name for each in version.app.functions if _is_plain(each))
            self._plain = (version, plain - names_of_former_code(version.app))
        return self._plain[1]

    def _of_call(self, activity: ActivityFunction, call: ActivityCall) -> ActivityFunction:
        return replace(activity, run=partial(self._run, activity, call), run_in_thread=None)

    async def _run(
        self, activity: ActivityFunction, call: ActivityCall, payload: Payload
    ) -> Payload | Caught:
        async with at_most(self._timeout, activity.name):
            answer = await self._pool.ask(
                lambda number: RunActivity(
                    call=number,
                    name=activity.name,
                    key=call.key,
                    payload=payload,
                    running=RUNNING.get(),
                ),
                activity.name,
                end_after=lambda: GRACE_S,
                may_repeat=not activity.at_most_once,
                is_patient=True,
            )
        if isinstance(answer, Failed):
            return unpack_failure(answer.failure)
        assert isinstance(answer, Completed)  # noqa: S101 - the answer to this order
        return answer.payload


class WorkerCalls:
    """Calls plain functions in worker processes. The `CallsElsewhere` of the invoker."""

    def __init__(
        self,
        registry: FunctionRegistry[Any],
        pool: WorkerPool,
        timeout: timedelta | None,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._pool = pool
        self._timeout_s = None if timeout is None else timeout.total_seconds()
        self._clock = clock
        self._functions = _Functions(registry.version)

    def prepared(
        self, function: HostFunction, arguments: Mapping[str, object], /
    ) -> Callable[[], Awaitable[Outcome]] | None:
        """What calls it in a worker; None if it stays in a thread."""
        if self._functions.version is not self._registry.version:
            self._functions = _Functions(self._registry.version)
        if not self._functions.may_go(function):
            return None
        try:
            packed = pack(dict(arguments))
        except Exception as error:  # noqa: BLE001 - an author's class may raise anything
            reason = f"what it is given cannot be sent there ({in_words(error)})"
            self._functions.stays(function.name, reason)
            return None
        return partial(self._call, function.name, arguments, packed)

    async def _call(self, name: str, arguments: Mapping[str, object], packed: bytes) -> Outcome:
        began_at = self._clock.monotonic()

        def end_after() -> float | None:
            """Without a limit it may go on, as it does in a thread when its caller goes away."""
            if self._timeout_s is None:
                return None
            left_s = began_at + self._timeout_s - self._clock.monotonic()
            return max(left_s, 0.0) + GRACE_S

        answer = await self._pool.ask(
            lambda number: CallFunction(
                call=number, name=name, arguments=packed, running=RUNNING.get()
            ),
            name,
            end_after=end_after,
        )
        if isinstance(answer, Failed):
            error = unpack_failure(answer.failure).error
            if answer.stays and isinstance(error, ResultStaysError):
                self._functions.stays(name, "what it returns cannot leave them")
            return None, error
        assert isinstance(answer, Returned)  # noqa: S101 - the answer to this order
        result, outputs = unpack(answer.result, Event())
        for output, out in outputs_of(arguments, Out).items():
            out.set(outputs[output])
        return result, None


class _Functions:
    """Which functions of one version of the app go to workers."""

    def __init__(self, version: AppVersion[Any]) -> None:
        self.version = version
        self._functions = {each.name: each for each in version.app.functions}
        self._gone_on = names_of_former_code(version.app)
        self._goes: dict[str, bool] = {}

    def may_go(self, function: HostFunction) -> bool:
        """Whether nothing is known that keeps it here. That is said, once."""
        if self._functions.get(function.name) is not function:
            return False  # it began on a former version of the app, which no worker has any more
        if function.name not in self._goes:
            reason = self._reason_to_stay(function)
            self._goes[function.name] = reason is None
            if reason is not None:
                self.stays(function.name, reason)
        return self._goes[function.name]

    def stays(self, name: str, reason: str) -> None:
        """Keep it here from now on."""
        self._goes[name] = False
        _log.info("'%s' runs in threads of the host, not in worker processes: %s", name, reason)

    def _reason_to_stay(self, function: HostFunction) -> str | None:
        if function.name in self._gone_on:
            return "only its former code works, which they do not have"
        awaited = next(filter(None, map(_awaited_as, function.declaration.bindings)), None)
        if awaited is not None:
            return f"it is given {awaited}"
        result = hints_of(function.declaration.function).get("return")
        if isinstance(result, type) and issubclass(result, StreamingResponse):
            return "its answers are made while they are sent"
        return None


def names_of_former_code(app: App) -> frozenset[str]:
    """The functions that go on in their former version: what is in the folder does not load."""
    return frozenset(name for each in app.broken for name in each.goes_on)


def _is_plain(function: HostFunction) -> bool:
    """Whether it is an activity that a worker can run by itself."""
    declaration = function.declaration
    is_async = wraps_async(declaration.function)
    return function.role is Role.ACTIVITY and not is_async and not declaration.bindings


def _awaited_as(binding: Binding) -> str | None:
    """What a binding gives that only works on the event loop."""
    given = kind_of(binding).input
    return None if given is None else given.awaited_as or None
