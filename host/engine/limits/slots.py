"""A slot of a limit, in the hands of what runs by it."""

from __future__ import annotations

from collections.abc import Callable


class Slot:
    """The right to run, until it is given back; that may be done again and again."""

    __slots__ = ("_give",)

    def __init__(self, give: Callable[[], None]) -> None:
        self._give: Callable[[], None] | None = give

    def give_back(self) -> None:
        """What ran by it has ended."""
        give, self._give = self._give, None
        if give is not None:
            give()
