"""What names an entity: the name of its function, and a key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bindings.errors import InvalidArgumentError

MAX_ENTITY_ID: Final = 256
EMPTY_KEY_IN_URLS: Final = "$"
"""What stands in a URL for the key that is empty, so that no key is named so."""
_FOLDERS: Final = frozenset({".", ".."})
"""Browsers take these parts out of a URL, encoded or not, and ask for something else."""
_MARK: Final = "@"
_FORBIDDEN: Final = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, order=True)
class EntityId:
    r"""Names one entity: `EntityId("Counter", "visits")`.

    Names have no case (they are kept in lower case), keys have. `str` of it is the id of the
    instance, such as `@counter@visits`: at most 256 characters. Raises `InvalidArgumentError` for
    what cannot name an entity: a name that is empty or has an `@`, and `/ \ # ?` or control
    characters in either. A key may be empty; it is not `$`, which is that one in URLs. Neither is
    `.` or `..`, which mean a folder there.
    """

    name: str
    key: str

    def __post_init__(self) -> None:
        """Check both, and have the name in lower case."""
        for what, value in (("name", self.name), ("key", self.key)):
            if not isinstance(value, str):  # annotations hold nobody at run time
                kind = type(value).__name__  # type: ignore[unreachable]
                raise InvalidArgumentError(f"An entity's {what} is a text, not a {kind}.")
        object.__setattr__(self, "name", str.__str__(self.name).lower())
        object.__setattr__(self, "key", str.__str__(self.key))
        if self.name in _FOLDERS or self.key in _FOLDERS:
            raise self._wrong("is not possible: '.' and '..' mean a folder in URLs")
        self._check()

    def _check(self) -> None:
        problem = _problem_of(self.name, self.key)
        if problem:
            raise self._wrong(problem)

    def _wrong(self, problem: str) -> InvalidArgumentError:
        return InvalidArgumentError(
            f"The entity {self.name[:300]!r} with the key {self.key[:300]!r} {problem}."
        )

    def __str__(self) -> str:
        return f"{_MARK}{self.name}{_MARK}{self.key}"

    @classmethod
    def parse(cls, text: str) -> EntityId:
        """The id that `str` of it gives. Raises `InvalidArgumentError`.

        It takes `.` and `..`, too: older versions took such keys, and what is stored under one
        must still be read, and can be deleted.
        """
        name, is_one, key = text[1:].partition(_MARK) if text.startswith(_MARK) else ("", "", "")
        if not is_one:
            raise InvalidArgumentError(
                f"{text[:300]!r} is not the id of an entity, such as @counter@visits."
            )
        if name not in _FOLDERS and key not in _FOLDERS:
            return cls(name, key)
        stored = object.__new__(cls)
        object.__setattr__(stored, "name", name.lower())
        object.__setattr__(stored, "key", key)
        stored._check()
        return stored


def _problem_of(name: str, key: str) -> str:
    if not name or _MARK in name:
        return "has no name, or one with an '@'"
    if len(name) + len(key) + 2 > MAX_ENTITY_ID:
        return f"is too long: with both '@' it may have {MAX_ENTITY_ID} characters"
    if key == EMPTY_KEY_IN_URLS:
        return f"is reserved: '{EMPTY_KEY_IN_URLS}' stands for the empty key in URLs"
    both = name + key
    if _FORBIDDEN.search(both):
        return "must not have / \\ # ? or control characters"
    if not both.isascii() and _SURROGATES.search(both):
        return "is not valid Unicode"
    return ""
