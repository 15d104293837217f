"""host.json's functionTimeout, for the functions that it can end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bindings import FunctionApp, HttpRequest
from host.core.converter import Converter
from host.functions.catalog import Catalog
from host.functions.invocation import Invoker
from host.functions.model import App, HostFunction
from host.functions.timeouts import FunctionTimeoutError
from tests.unit.test_invocation import Hub

AT_ONCE = timedelta(0)
"""Over before anything that has to be waited for can end."""
LATE = "The function 'late' did not end within 0:00:00, the functionTimeout of host.json."


def the_one_of(app: FunctionApp) -> HostFunction:
    (declaration,) = app.get_functions()
    return HostFunction(name=declaration.name, declaration=declaration, directory=Path())


async def invoke(function: Callable[..., Any], timeout: timedelta | None) -> object:
    app = FunctionApp()
    app.route()(function)
    hub = Hub()  # type: ignore[abstract]  # see the class
    invoker = Invoker(client=hub, converter=Converter(), timeout=timeout)
    request = HttpRequest(method="GET", url="http://localhost/api/x", body=b"")
    try:
        return await invoker.invoke(the_one_of(app), request)
    finally:
        invoker.stop()


async def run_activity(function: Callable[..., Any], timeout: timedelta | None) -> object:
    app = FunctionApp()
    app.activity_trigger()(function)
    catalog = Catalog(App(functions=(the_one_of(app),)), Converter(), timeout)
    activity = catalog.activity(function.__name__)
    assert activity is not None
    assert activity.run is not None
    return await activity.run(None)


async def test_a_coroutine_is_cancelled_when_its_time_is_over() -> None:
    ends: list[str] = []

    async def late(req: HttpRequest) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    with pytest.raises(FunctionTimeoutError) as caught:
        await invoke(late, AT_ONCE)
    assert (str(caught.value), ends) == (LATE, ["cancelled"])


async def test_nobody_waits_for_a_plain_function_whose_time_is_over_and_it_runs_on() -> None:
    go_on, ended = threading.Event(), threading.Event()

    def late(req: HttpRequest) -> None:
        go_on.wait()
        ended.set()

    with pytest.raises(FunctionTimeoutError) as caught:
        await invoke(late, AT_ONCE)
    assert str(caught.value) == LATE
    assert not ended.is_set()
    go_on.set()
    assert await asyncio.to_thread(ended.wait, 10)


async def test_a_coroutine_activity_is_cancelled_when_its_time_is_over() -> None:
    async def late() -> None:
        await asyncio.Event().wait()

    with pytest.raises(FunctionTimeoutError) as caught:
        await run_activity(late, AT_ONCE)
    assert str(caught.value) == LATE


@pytest.mark.parametrize("timeout", [None, timedelta(minutes=5)])
async def test_in_time_nothing_changes(timeout: timedelta | None) -> None:
    async def waits(req: HttpRequest) -> str:
        await asyncio.sleep(0)
        return "done"

    async def works() -> str:
        await asyncio.sleep(0)
        return "done"

    assert await invoke(waits, timeout) == "done"
    assert await run_activity(works, timeout) == '"done"'


async def test_a_timeout_of_the_functions_own_stays_its_own() -> None:
    async def fails(req: HttpRequest) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await invoke(fails, timedelta(minutes=5))


async def test_who_goes_away_cancels_the_function_and_no_timeout_is_told() -> None:
    started = asyncio.Event()

    async def waits(req: HttpRequest) -> None:
        started.set()
        await asyncio.Event().wait()

    call = asyncio.create_task(invoke(waits, timedelta(minutes=5)))
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
