"""Values in messages: what an author gave, in words that he knows it by.

No message holds an address (`<Account object at 0x7f…>`): it says nothing, and is another one each
time, so that two failures of one kind do not look like one.
"""

from __future__ import annotations

import re
from inspect import isroutine
from typing import Final

_MAX: Final = 200
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")


def shown_value(value: object) -> str:
    """The value as Python writes it, at most 200 characters; a class or a function by its name.

    Never raises, whatever its own `__repr__` does.
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isroutine(value):
        return f"the function {getattr(value, '__name__', '')}"
    if type(value).__repr__ is object.__repr__:
        return _one_of(value)
    try:
        return _ADDRESS.sub("", repr(value))[:_MAX]
    except Exception:  # noqa: BLE001 - an author's __repr__ may raise anything
        return _one_of(value)


def _one_of(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"
