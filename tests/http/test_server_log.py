"""The server's log: what clients send is no error, and cannot fill the log."""

from __future__ import annotations

import logging

import pytest
from aiohttp.http_exceptions import BadStatusLine

from host.http.server_log import ServerLog


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> ServerLog:
    caplog.set_level(logging.DEBUG)
    return ServerLog(logging.getLogger("some.server"))


@pytest.mark.parametrize("fault", [BadStatusLine("x" * 8000), ConnectionResetError("gone")])
def test_what_a_client_did_is_one_short_line_of_debugging(
    log: ServerLog, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    log.exception("Error handling request from %s", "127.0.0.1", exc_info=fault)
    (record,) = caplog.records
    name = type(fault).__name__
    assert record.getMessage() == f"Error handling request from 127.0.0.1: {name}"
    assert (record.levelno, record.exc_info) == (logging.DEBUG, None)


def test_an_error_of_the_host_is_logged_with_its_traceback(
    log: ServerLog, caplog: pytest.LogCaptureFixture
) -> None:
    log.exception("Error handling request from %s", "127.0.0.1", exc_info=ValueError("bad"))
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.ERROR, "some.server")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)


def test_a_level_that_is_switched_off_is_not_logged(
    log: ServerLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "some.server")
    log.exception("Error", exc_info=ConnectionResetError())
    assert not caplog.records
