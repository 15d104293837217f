"""The names that messages of Python show for what implements a class of the authors' model.

Else a misspelt argument or attribute would be told by the name of a class that no document has.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import TypeVar

T = TypeVar("T", bound=type)


def shown_as(public: type) -> Callable[[T], T]:
    """Let the class and its methods be shown by the name of this class, which authors know."""

    def rename(implementation: T) -> T:
        implementation.__name__ = implementation.__qualname__ = public.__name__
        for name, each in vars(implementation).items():
            if isinstance(each, FunctionType):
                each.__qualname__ = f"{public.__name__}.{name}"
        return implementation

    return rename
