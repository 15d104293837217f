"""The host's own loggers: nothing that an app's logging does, harms the host.

An app may put filters, handlers and record factories anywhere, and each of them may raise. The host
logs in the midst of its work (an activity has ended, its result is not stored yet), so a log line
that cannot be written is lost, and only that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from host.log_text import shown

if TYPE_CHECKING:
    _LoggerAdapter = logging.LoggerAdapter[logging.Logger]
else:
    _LoggerAdapter = logging.LoggerAdapter


class Outlet(Protocol):
    """Where lines can go that the app's logging refused. It never raises, nor waits."""

    def put(self, text: str) -> None:
        """Have a line written."""

    def flush(self, timeout_s: float) -> bool:
        """Wait for so long until all lines are written; whether they are."""


_outlets: list[Outlet] = []


class HostLog(_LoggerAdapter):
    """A logger of the host. Its methods never raise."""

    def __init__(self, logger: str | logging.Logger) -> None:
        super().__init__(logging.getLogger(logger) if isinstance(logger, str) else logger, {})

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a record if the level is on."""
        try:
            # An app that configures logging switches off all loggers that it does not name.
            self.logger.disabled = False
            if self.logger.isEnabledFor(level):
                kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
                self.logger.log(level, msg, *args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - see the head of this file
            say_lost(msg, args, error)


def set_outlet(outlet: Outlet) -> None:
    """Have what the app's logging refuses written there."""
    _outlets[:] = [outlet]


def flush(timeout_s: float) -> None:
    """Wait a moment for what was logged to be written: the process is about to end."""
    for outlet in _outlets:
        outlet.flush(timeout_s)


def say_lost(message: object, args: tuple[object, ...], error: BaseException) -> None:
    """The app's logging raised: say what was to be logged, if there is anywhere to say it."""
    text = f"The app's logging raised {_name(error)}. Not logged: {_text(message, args)}"
    for outlet in _outlets:
        outlet.put(shown(text))


def _name(error: BaseException) -> str:
    return str(type.__dict__["__name__"].__get__(type(error)))  # whatever its metaclass says


def _text(message: object, args: tuple[object, ...]) -> str:
    try:
        return str(message) % args if args else str(message)
    except BaseException:  # noqa: BLE001 - what is logged may be what raises
        return "(it cannot be shown)"
