"""Awaiting what is not durable: the error names the thing, the line, and what to do instead.

These tests run in an event loop, as turns do in a host.
"""

import asyncio
import linecache
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from bindings import FailureDetails, ForeignAwaitError, OrchestrationContext
from tests.kit.bench import Bench

Ctx = OrchestrationContext


LIBRARY = """
import asyncio
async def fetch(url):
    return await asyncio.get_running_loop().create_future()
"""


def a_client_library() -> Callable[[str], Awaitable[str]]:
    """A function as of an installed package: it waits for a future of the loop."""
    names: dict[str, Any] = {"__name__": "client"}
    exec(compile(LIBRARY, "/lib/site-packages/client.py", "exec"), names)
    fetch: Callable[[str], Awaitable[str]] = names["fetch"]
    return fetch


def failure_of(orchestrator: Any) -> FailureDetails:
    failure = Bench(orchestrator).run().failure
    assert failure.error_type == ForeignAwaitError.__name__
    return failure


def assert_names_line(failure: FailureDetails, text: str) -> None:
    """The message holds this file, and a line of it that says `text`."""
    _, _, rest = failure.message.partition(f"{__file__}:")
    assert rest, failure.message
    number = int(rest.split(" ", 1)[0])
    assert text in linecache.getline(__file__, number)
    assert f"`{linecache.getline(__file__, number).strip()}`" in failure.message


@pytest.mark.parametrize("seconds", [0, 5])
async def test_asyncio_sleep_is_told_of_timers(seconds: int) -> None:
    async def sleeps(context: Ctx) -> None:
        await asyncio.sleep(seconds)

    failure = failure_of(sleeps)
    assert "create_timer" in failure.message
    assert_names_line(failure, "await asyncio.sleep(seconds)")


async def test_asyncio_wait_is_told_of_when_all() -> None:
    async def waits(context: Ctx) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.wait([loop.create_future()])

    failure = failure_of(waits)
    assert "when_all([...])" in failure.message
    assert_names_line(failure, "await asyncio.wait(")


async def test_asyncio_wait_for_is_told_of_when_any() -> None:
    async def hurries(context: Ctx) -> None:
        await asyncio.wait_for(asyncio.get_running_loop().create_future(), 1)

    assert "when_any([task, context.create_timer(...)])" in failure_of(hurries).message


async def test_a_client_librarys_awaitable_is_told_of_activities() -> None:
    fetch = a_client_library()

    async def fetches(context: Ctx) -> str:
        return await fetch("http://example.org")

    failure = failure_of(fetches)
    assert "(fetch)" in failure.message
    assert "context.call_activity(...)" in failure.message
    assert_names_line(failure, "return await fetch(")


async def test_a_bare_future_is_told_of_activities() -> None:
    async def waits(context: Ctx) -> None:
        await asyncio.get_running_loop().create_future()

    failure = failure_of(waits)
    assert "Future" in failure.message
    assert "context.call_activity(...)" in failure.message
    assert_names_line(failure, "create_future()")


async def test_the_line_is_that_of_the_innermost_author_code() -> None:
    async def inner() -> None:
        await asyncio.Event().wait()

    async def outer(context: Ctx) -> None:
        await inner()

    failure = failure_of(outer)
    assert "inner" in failure.message
    assert_names_line(failure, "await asyncio.Event().wait()")


def test_a_bare_yield_is_told_what_to_yield() -> None:
    def yields(context: Ctx) -> Generator[Any, Any, None]:
        yield

    failure = failure_of(yields)
    assert "context.call_activity(...), context.create_timer(...)" in failure.message
    assert_names_line(failure, "yield")


def test_yielding_a_list_of_tasks_is_told_of_when_all() -> None:
    def yields(context: Ctx) -> Generator[Any, Any, None]:
        yield [context.call_activity("a"), context.call_activity("b")]

    failure = failure_of(yields)
    assert "when_all([...])" in failure.message
    assert_names_line(failure, "yield [context")


def test_the_code_cannot_catch_a_foreign_await_and_go_on() -> None:
    after = []

    def yields(context: Ctx) -> Generator[Any, Any, str]:
        try:
            yield "something"
        except Exception:  # noqa: BLE001 - that is the point
            after.append("caught")
        return "went on"

    failure_of(yields)
    assert after == []


def test_yielding_a_coroutine_is_foreign_too() -> None:
    async def part() -> None: ...

    def yields(context: Ctx) -> Generator[Any, Any, None]:
        coroutine = part()
        try:
            yield coroutine
        finally:
            coroutine.close()

    assert "coroutine" in failure_of(yields).message
