"""Loggers that are silent while the code is led through what it did before.

The standard library's become a `LoggerAdapter`. Any other is stood for by an object that passes on
all that is asked of it, and drops what is to be logged on replay. What makes a logger of a logger
(`bind`, `opt` and the like) works on replay, too, and gives one that is as silent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

from bindings.errors import InvalidArgumentError

if TYPE_CHECKING:
    _LoggerAdapter = logging.LoggerAdapter[logging.Logger]
else:
    _LoggerAdapter = logging.LoggerAdapter

_LOGS = frozenset(
    {"trace", "debug", "info", "success", "notice", "msg", "warning", "warn", "error", "err"}
    | {"exception", "failure", "critical", "fatal", "log"}
)
_ASKS = frozenset({"isEnabledFor", "is_enabled_for"})


class Replays(Protocol):
    """Whoever knows whether the code is replayed."""

    @property
    def is_replaying(self) -> bool:
        """Whether it is, now."""


def replay_safe(logger: Any, context: Replays) -> Any:
    """The logger, silent on replay. Raises `InvalidArgumentError` if it is none."""
    if isinstance(logger, logging.Logger | logging.LoggerAdapter):
        return _ReplaySafeAdapter(logger, context)
    if not _is_logger(logger):
        raise InvalidArgumentError(
            f"create_replay_safe_logger takes a logger, an object with methods like info and "
            f"error, not {type(logger).__name__}."
        )
    return _ReplaySafeLogger(logger, context)


def _is_logger(value: Any) -> bool:
    return all(callable(getattr(value, name, None)) for name in ("info", "error"))


class _ReplaySafeAdapter(_LoggerAdapter):
    def __init__(self, logger: Any, context: Replays) -> None:
        super().__init__(logger, {})
        self._context = context

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        return not self._context.is_replaying and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, kwargs


class _ReplaySafeLogger:
    """Stands for a logger of another library."""

    __slots__ = ("_context", "_logger")

    def __init__(self, logger: Any, context: Replays) -> None:
        self._logger = logger
        self._context = context

    def __getattr__(self, name: str) -> Any:
        if name in _ReplaySafeLogger.__slots__:  # it is being copied, and has none yet
            raise AttributeError(name)
        member = getattr(self._logger, name)
        if not callable(member):
            return member
        if name in _LOGS or name in _ASKS:
            # Not replaying, the logger's own method: others would be shown as the line that logs.
            return self._unless_replaying(name, member) if self._context.is_replaying else member
        return self._making(member)

    def __repr__(self) -> str:
        return f"<replay-safe {self._logger!r}>"

    def _unless_replaying(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """It may be kept and called when the replay is over."""

        def call(*arguments: Any, **named: Any) -> Any:
            if self._context.is_replaying:
                return False if name in _ASKS else None
            return method(*arguments, **named)

        return call

    def _making(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            made = method(*arguments, **named)
            return _ReplaySafeLogger(made, self._context) if _is_logger(made) else made

        return call
