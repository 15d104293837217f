"""An app in process, as its host runs it: on a store in memory, and on a clock that tests move.

Rules of this file: everything between the app and the store is that of a real host. Only time is
the test's: it stands still while anything runs, and moves in `skip` and in the client's waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from bindings.client import DurableClient
from host.core.converter import Converter
from host.engine.engine import Engine
from host.functions.entities import EntityRunner
from host.functions.invocation import Invoker
from host.functions.registry import FunctionRegistry
from host.http.management.links import ManagementLinks
from host.http_calls.opening import http_calls
from host.resources.host_resources import HostResources
from host.storage.memory import MEMORY
from host.testing.client import SkippingClient
from host.testing.fakes import Fakes, current_attempt
from host.testing.http_fakes import HttpFake
from host.testing.loading import LoadedApp, TestedApp, loaded
from host.testing.manual_clock import START, ManualClock
from host.testing.skipping import Skipper
from host.wiring.part_options import blob_rules_of, engine_options
from host.wiring.store import storage_place

PATIENCE_S = 10.0
BASE_URL = "http://localhost:7071"

FakesByName: TypeAlias = Mapping[Any, Any]
"""What stands in for activities, by the activity's function or its name, which may be mixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """What there is while the environment is entered."""

    client: SkippingClient
    skipper: Skipper
    fakes: Fakes
    blobs: Path


class TestEnvironment:
    """Runs an app in this process, for one test: `async with TestEnvironment(app) as env`.

    `app` is a `FunctionApp`, or the folder of one, which is then loaded as `funchost start` does,
    with its `host.json` and `local.settings.json`. `fakes` are as in `fake`. The clock begins at
    `start`. `patience_s` is how many seconds of real time anything may take. With `real_http`,
    requests of `call_http` that no fake answers are sent; else they fail.

    Entering it raises `FunctionDefinitionError` if anything of the app does not load, and
    `InvalidArgumentError` for fakes of what is no activity of the app.
    """

    __test__ = False
    """Says to pytest that it is no test, whatever its name begins with."""

    def __init__(
        self,
        app: TestedApp,
        *,
        fakes: FakesByName | None = None,
        start: datetime = START,
        patience_s: float = PATIENCE_S,
        real_http: bool = False,
    ) -> None:
        self._app = app
        self._first_fakes: FakesByName = fakes or {}
        self._clock = ManualClock(start)
        self._patience_s = patience_s
        self._real_http = real_http
        self._exits = AsyncExitStack()
        self._entered: _Running | None = None

    async def __aenter__(self) -> TestEnvironment:
        if self._entered is not None:
            raise RuntimeError("This TestEnvironment is entered already: make another one.")
        async with AsyncExitStack() as exits:
            app = exits.enter_context(loaded(self._app))
            blobs = Path(exits.enter_context(TemporaryDirectory(prefix="funchost-blobs-")))
            self._entered = await exits.enter_async_context(self._running(app, blobs))
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered = None
        await self._exits.aclose()

    if not TYPE_CHECKING:  # a checker says by itself that it is asynchronous

        def __enter__(self) -> NoReturn:
            raise TypeError(
                "TestEnvironment is asynchronous: write `async with TestEnvironment(...) as env:` "
                "in an `async def` test (pytest-asyncio or anyio runs those), or put it into an "
                "`async def` of its own and call asyncio.run() of that."
            )

        def __exit__(self, *_: object) -> None:
            """Only with it Python asks `__enter__`."""

    @property
    def client(self) -> DurableClient:
        """The client of the app's hub. Its waits for instances move the clock."""
        return self._now_running.client

    @property
    def now(self) -> datetime:
        """The time on the test's clock: aware, in UTC."""
        return self._clock.now()

    @property
    def blobs(self) -> Path:
        """The folder of the containers that are not on S3: put blobs there, and look at them.

        It is this environment's own, and gone with it.
        """
        return self._now_running.blobs

    async def skip(self, delta: timedelta) -> None:
        """Let so much time pass at once; timers that are due by then fire in their order."""
        await self._now_running.skipper.skip(delta)

    async def idle(self) -> None:
        """Wait until the app has nothing to do now, but to wait for time or for events.

        Raises `TimeoutError`, which says what still runs, when that takes too long.
        """
        await self._now_running.skipper.idle()

    def fake(
        self, activity: Callable[..., Any] | str, what: Any, *, attempt: int | None = None
    ) -> None:
        """Let `what` stand in for an activity, from its next run on.

        A function, plain or `async`, is called with what the activity takes; an exception is
        raised; anything else is the result. With `attempt`, from 1 on, it stands in for that
        attempt only. What is not faked runs for real. By "call_http" the requests of
        `context.call_http` are answered, with a `DurableHttpResponse` or by a function that is
        called with the `DurableHttpRequest`; those without an answer fail.

        Raises `InvalidArgumentError` if the app has no such activity, or the function cannot be
        called so.
        """
        self._now_running.fakes.set(activity, what, attempt)

    async def history(self, instance_id: str) -> list[dict[str, Any]]:
        """The instance's events, oldest first, by Durable Task's names.

        Written to a file as JSON they are what `replay` takes. Raises `InstanceNotFoundError`.
        """
        return await self.client.get_instance_history(instance_id)

    @property
    def _now_running(self) -> _Running:
        if self._entered is None:
            raise RuntimeError(
                "This TestEnvironment does not run: use it within `async with TestEnvironment(...) "
                "as env:`."
            )
        return self._entered

    @asynccontextmanager
    async def _running(self, app: LoadedApp, blobs: Path) -> AsyncIterator[_Running]:
        clock, durable = self._clock, app.settings.extensions.durable_task
        registry = FunctionRegistry(app.version)
        converter = Converter(durable.max_payload_bytes)
        fakes = Fakes(app.version.app, app.version.catalog, converter, app.slot)
        calls = http_calls(durable.http_settings, lambda: app.settings.values, clock)
        real = calls.run if self._real_http else None
        fakes.http = HttpFake(clock, current_attempt, real, durable.http_settings.poll_s)
        app.slot.send_http = fakes.http.send
        for activity, what in self._first_fakes.items():
            fakes.set(activity, what, None)
        place = storage_place(app.options, app.settings)
        async with MEMORY.opened(place, clock) as (store, queues):
            entities = EntityRunner(registry, converter, clock)
            engine = Engine(
                store=store,
                queues=queues,
                catalog=registry,
                activities=fakes,
                entities=entities,
                converter=converter,
                clock=clock,
                options=engine_options(MEMORY, app.options, app.settings),
                observers=[fakes.observer],
            )
            skipper = Skipper(engine, store, clock, fakes.running, self._patience_s)
            links = ManagementLinks(hub_name=durable.hub_name, clock=clock, base_url=BASE_URL)
            client = SkippingClient(engine, links, skipper)
            resources = HostResources(
                app.settings.values,
                MEMORY.home(store, durable.storage_provider),
                clock,
                blob_rules=blob_rules_of(app.settings),
                blob_folder=blobs,
                queues=app.settings.extensions.queues,
            )
            invoker = Invoker(client=client, converter=converter, resources=resources, clock=clock)
            app.slot.invoker = invoker
            await engine.start()
            try:
                yield _Running(client=client, skipper=skipper, fakes=fakes, blobs=blobs)
            finally:
                await engine.stop(0.0)
                entities.close()
                invoker.stop()
                await calls.close()
                await resources.close()
