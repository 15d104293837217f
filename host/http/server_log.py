"""What aiohttp's server logs: an error is the host's own, never what a client sent.

Whoever reaches the port can send bytes that are no HTTP, or hang up, as often as they like: aiohttp
answers 400 and would log each of them as an error, with a traceback and the bytes.
"""

from __future__ import annotations

import logging
from typing import Any

from aiohttp.http_exceptions import HttpProcessingError

from host.logs import say_lost

_CLIENTS_FAULTS = (HttpProcessingError, ConnectionError)


class ServerLog(logging.Logger):
    """The server's logger. Given to aiohttp's runner as its `logger`."""

    def __init__(self, target: logging.Logger) -> None:
        super().__init__(target.name)
        self.parent = target

    def handle(self, record: logging.LogRecord) -> None:
        """Hand a record on, whatever the app's own logging does with it."""
        try:
            super().handle(record)
        except BaseException as error:  # noqa: BLE001 - aiohttp would end the connection
            say_lost(record.msg, (), error)

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        """Log an error; the name alone of what a client did wrong, for those who debug."""
        if isinstance(exc_info, _CLIENTS_FAULTS):
            self.debug(f"{msg}: %s", *args, type(exc_info).__name__)
        else:
            super().exception(msg, *args, exc_info=exc_info, **more)
