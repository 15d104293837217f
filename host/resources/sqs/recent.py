"""What was said of the last messages. What is older is forgotten, so that memory stays small."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

MOST: Final = 10_000

T = TypeVar("T")


class Recent(Generic[T]):
    """Something about each of the messages seen last, by their ids."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._said: dict[str, T] = {}

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._said

    def __setitem__(self, message_id: str, said: T) -> None:
        self._said.pop(message_id, None)
        self._said[message_id] = said
        if len(self._said) > self._most:
            del self._said[next(iter(self._said))]

    def get(self, message_id: str, default: T) -> T:
        """What is known, or this."""
        return self._said.get(message_id, default)

    def pop(self, message_id: str) -> None:
        """Forget it."""
        self._said.pop(message_id, None)
