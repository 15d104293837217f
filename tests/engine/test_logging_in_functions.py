"""What is logged and printed in a function says where, and no replay writes it again."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, redirect_stdout
from contextvars import copy_context
from datetime import timedelta
from io import StringIO
from typing import Any, TextIO, TypeAlias, cast

import pytest

from bindings import EntityContext, EntityId, FunctionApp, OrchestrationContext, RetryPolicy
from host.printing import PrintedText
from host.running import RUNNING, InsideFunctions, Running
from tests.kit.hub import Hub, until

SECOND = timedelta(seconds=1)
LOG = logging.getLogger("shop")
Prints: TypeAlias = Callable[[], AbstractContextManager[object]]


class Written(logging.Handler):
    """Keeps what a log of the host would have written."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(InsideFunctions())
        self.records: list[logging.LogRecord] = []
        self.passed_by = StringIO()
        """What is printed and is no line of the log."""

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def lines(self) -> list[tuple[Any, ...]]:
        """Function, instance, attempt and message of each record."""
        return [
            (
                getattr(each, "function", None),
                getattr(each, "instance_id", None),
                getattr(each, "attempt", None),
                each.getMessage(),
            )
            for each in self.records
        ]


@pytest.fixture
def written() -> Iterator[Written]:
    handler = Written()
    LOG.addHandler(handler)
    LOG.setLevel(logging.DEBUG)
    printer = logging.getLogger("print")
    printer.setLevel(logging.INFO)
    yield handler
    LOG.removeHandler(handler)
    LOG.setLevel(logging.NOTSET)
    printer.setLevel(logging.NOTSET)


@pytest.fixture
def prints(written: Written) -> Prints:
    """Has what is printed inside of it logged; pytest puts its own stream there for each test."""
    text = cast("TextIO", PrintedText(written.passed_by, written))
    return lambda: redirect_stdout(text)


def shop() -> FunctionApp:
    app = FunctionApp()
    failed: list[str] = []

    @app.activity_trigger()
    def pick(item: str) -> str:
        LOG.info("picking %s", item)
        if not failed:
            failed.append(item)
            raise LookupError(item)
        print("picked", item, end="")
        return item

    @app.activity_trigger()
    async def pack(item: str) -> str:
        LOG.info("packing")
        return item

    @app.orchestration_trigger()
    async def order(context: OrchestrationContext, item: str) -> None:
        LOG.info("begins")
        print("one", end=" ")
        again = RetryPolicy(first_retry_interval=SECOND, max_number_of_attempts=2)
        await context.call_activity("pick", item, retry_policy=again)
        print("line")
        await context.call_activity("pack", item)
        await context.wait_for_external_event("go")
        LOG.info("ends")

    @app.entity_trigger()
    def counter(context: EntityContext) -> None:
        LOG.info("counting")
        context.set_state(1)

    @app.orchestration_trigger()
    async def counts(context: OrchestrationContext) -> None:
        await context.call_entity(EntityId("counter", "c"), "add")

    return app


async def test_each_line_says_its_function_and_a_replay_writes_none_again(
    hub: Hub, written: Written, prints: Prints
) -> None:
    app = shop()

    async def has_packed() -> bool:
        await hub.clock.advance(SECOND)
        return ("pack", "it", 1, "packing") in written.lines()

    with prints():
        first = await hub.start(app)
        await first.begin("order", "a boat", instance_id="it")
        await until(has_packed)
        await first.rest()
        await first.crash()
        second = await hub.start(app)
        await second.client.raise_event("it", "go")
        await second.finished("it")
        await second.rest()
    assert written.lines() == [
        ("order", "it", 1, "begins"),
        ("pick", "it", 1, "picking a boat"),
        ("pick", "it", 2, "picking a boat"),
        ("pick", "it", 2, "picked a boat"),
        ("order", "it", 1, "one line"),
        ("pack", "it", 1, "packing"),
        ("order", "it", 1, "ends"),
    ]
    assert len({each.__dict__["execution_id"] for each in written.records}) == 1


async def test_an_entity_says_its_id(hub: Hub, written: Written) -> None:
    host = await hub.start(shop())
    await host.run("counts")
    assert written.lines() == [("counter", "@counter@c", 1, "counting")]


async def test_what_is_logged_outside_of_functions_and_by_the_host_has_no_function(
    written: Written,
) -> None:
    LOG.info("at import")
    RUNNING.set(Running("order", "it"))
    LOG.info("inside")
    host = logging.getLogger("funchost.engine")
    host.addHandler(written)
    host.warning("of the host")
    host.removeHandler(written)
    assert written.lines() == [
        (None, None, None, "at import"),
        ("order", "it", 1, "inside"),
        (None, None, None, "of the host"),
    ]


def test_what_is_printed_while_a_debugger_traces_goes_where_it_always_went(
    written: Written, prints: Prints
) -> None:
    def prompts() -> None:
        RUNNING.set(Running("order", "it"))
        sys.settrace(lambda *_: None)
        try:
            print("(Pdb) ", end="")
        finally:
            sys.settrace(None)

    with prints():
        copy_context().run(prompts)
    assert written.lines() == []
    assert written.passed_by.getvalue() == "(Pdb) "


def test_what_is_printed_outside_of_functions_is_no_line_of_the_log(
    written: Written, prints: Prints
) -> None:
    with prints():
        print("Listening")
    assert written.lines() == []
    assert written.passed_by.getvalue() == "Listening\n"
