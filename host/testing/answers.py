"""What a test says that somebody answers: a value, an error to raise, or a function to call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

Answer: TypeAlias = Callable[..., Any]


class _Never:
    """What is answered never."""

    def __repr__(self) -> str:
        return "NEVER"


NEVER: Final = _Never()
"""In place of an answer: there is none, as long as the test does not give another one."""


def is_function(what: object) -> bool:
    """Whether it is called for each answer."""
    return callable(what) and not _is_error_class(what)


def answer_of(what: Any) -> Answer:
    """A function that answers so: `what` itself if it is one."""
    if is_function(what):
        function: Answer = what
        return function

    def answer(*_: Any, **__: Any) -> Any:
        if isinstance(what, BaseException):
            raise what.with_traceback(None)  # else it would grow with each time it is raised
        if _is_error_class(what):
            raise what
        return what

    return answer


def _is_error_class(what: object) -> bool:
    return isinstance(what, type) and issubclass(what, BaseException)
