"""A coroutine of the client that nobody awaits is an error in the log: where, and what to do."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from host.cli.forgotten_awaits import report_forgotten_awaits
from host.engine.client import HubClient


@pytest.fixture
def shown() -> Iterator[list[str]]:
    """What is shown as a warning, and not logged."""
    texts: list[str] = []

    def show(message: Any, *_: Any) -> None:
        texts.append(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show  # type: ignore[assignment]
        report_forgotten_awaits()
        yield texts


def test_a_dropped_call_of_the_client_is_an_error_in_the_log(
    shown: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    client: Any = HubClient.__new__(HubClient)

    def answers() -> None:
        client.raise_event("w1", "A", 1)

    answers()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    said = record.getMessage()
    assert said.startswith("DurableClient.raise_event(...) was not awaited, so it did nothing")
    assert f"{__file__}:" in said
    assert said.endswith("answers.")
    assert shown == []


def test_other_warnings_are_shown_as_ever(
    shown: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    warnings.warn("something else", RuntimeWarning, stacklevel=1)
    warnings.warn("coroutine 'x' was never awaited", UserWarning, stacklevel=1)
    assert shown == ["something else", "coroutine 'x' was never awaited"]
    assert caplog.records == []
