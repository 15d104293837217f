"""Replay-safe loggers: whichever library a logger is of, what it logs on replay is dropped."""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Callable
from typing import Any

import pytest

from bindings import OrchestrationContext, RuntimeStatus
from tests.kit.bench import Bench

Ctx = OrchestrationContext


class KeywordLogger:
    """Called as structlog's loggers are: an event, and what belongs to it by name."""

    def __init__(self, lines: list[Any], bound: dict[str, Any] | None = None) -> None:
        self.lines, self.bound = lines, bound or {}

    def bind(self, **values: Any) -> KeywordLogger:
        return KeywordLogger(self.lines, self.bound | values)

    def info(self, event: str, **values: Any) -> str:
        self.lines.append((event, self.bound | values))
        return event

    error = exception = info

    def is_enabled_for(self, level: int) -> bool:
        return level > 10


class BraceLogger:
    """Called as loguru's are: braces in the message, and chains of `bind` and `opt`."""

    def __init__(self, lines: list[Any], **bound: Any) -> None:
        self._lines, self._bound = lines, bound

    def bind(self, **values: Any) -> BraceLogger:
        return BraceLogger(self._lines, **self._bound, **values)

    def opt(self, *, lazy: bool = False, depth: int = 0) -> BraceLogger:
        return self

    def log(self, level: str | int, message: str, *values: Any, **named: Any) -> None:
        caller = inspect.stack()[2 if level == "INFO" else 1].function
        self._lines.append((level, message.format(*values, **named), self._bound, caller))

    def info(self, message: str, *values: Any, **named: Any) -> None:
        self.log("INFO", message, *values, **named)

    error = info


def logged_over_a_crash(logs: Callable[[Ctx], Any]) -> None:
    bench = Bench(logs)
    bench.turn()
    bench.reload()
    bench.turn(bench.done(1))
    assert bench.status is RuntimeStatus.COMPLETED, bench.row.failure


def test_found_h13_a_logger_with_keywords_is_silent_on_replay() -> None:
    lines: list[Any] = []

    async def logs(context: Ctx) -> None:
        logger = context.create_replay_safe_logger(KeywordLogger(lines)).bind(user="u")
        logger.info("before", n=1)
        await context.call_activity("work")
        logger.bind(more=2).info("after")
        assert logger.error("last", n=3) == "last"
        assert logger.bound == {"user": "u"}
        assert logger.is_enabled_for(20)

    logged_over_a_crash(logs)
    assert lines == [
        ("before", {"user": "u", "n": 1}),
        ("after", {"user": "u", "more": 2}),
        ("last", {"user": "u", "n": 3}),
    ]


def test_found_h13_a_logger_with_braces_and_chains_is_silent_on_replay() -> None:
    lines: list[Any] = []

    async def logs(context: Ctx) -> None:
        logger = context.create_replay_safe_logger(BraceLogger(lines))
        logger.bind(user="u").opt(lazy=True, depth=0).info("{} and {x}", 1, x=2)
        await context.call_activity("work")
        logger.opt(lazy=True).log("TRACE", "{}", "after")

    logged_over_a_crash(logs)
    assert lines == [
        ("INFO", "1 and 2", {"user": "u"}, "logs"),
        ("TRACE", "after", {}, "logs"),
    ]


def test_found_h13_a_method_that_was_taken_on_replay_logs_after_it() -> None:
    lines: list[Any] = []
    enabled: list[bool] = []

    async def logs(context: Ctx) -> None:
        logger = context.create_replay_safe_logger(KeywordLogger(lines))
        say = logger.info
        enabled.append(logger.is_enabled_for(20))
        say("before")
        await context.call_activity("work")
        say("after")

    logged_over_a_crash(logs)
    assert [event for event, _ in lines] == ["before", "after"]
    assert enabled == [True, False]


def test_found_h13_an_adapter_of_the_standard_library_keeps_its_extras(
    caplog: pytest.LogCaptureFixture,
) -> None:
    adapter = logging.LoggerAdapter(logging.getLogger("app"), {"user": "u"})

    async def logs(context: Ctx) -> None:
        logger = context.create_replay_safe_logger(adapter)
        assert isinstance(logger, logging.LoggerAdapter)
        logger.info("before")
        await context.call_activity("work")
        logger.warning("after")

    caplog.set_level(logging.INFO, "app")
    logged_over_a_crash(logs)
    assert [(x.getMessage(), x.__dict__["user"]) for x in caplog.records] == [
        ("before", "u"),
        ("after", "u"),
    ]


@pytest.mark.parametrize("value", [None, "app", print, 3])
def test_found_h13_what_is_no_logger_is_refused_by_name(value: object) -> None:
    async def logs(context: Ctx) -> None:
        context.create_replay_safe_logger(value)

    bench = Bench(logs).run()
    assert bench.failure.error_type == "InvalidArgumentError"
    assert "create_replay_safe_logger takes a logger" in bench.failure.message


def test_found_h13_a_replay_safe_logger_can_be_copied() -> None:
    async def logs(context: Ctx) -> None:
        logger = context.create_replay_safe_logger(KeywordLogger([]))
        copy.copy(logger).info("copied")
        assert "KeywordLogger" in repr(logger)
        assert not hasattr(logger, "nothing_of_the_kind")

    bench = Bench(logs)
    bench.run()
    assert bench.status is RuntimeStatus.COMPLETED, bench.row.failure
