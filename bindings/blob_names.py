"""Names of blobs: which there can be, and how a trigger's pattern takes one apart.

A path is `container/name`. A container is a bucket of S3, or a folder. The rules for names are the
same wherever the blob is, so that an app can move: what is written under a name can be read under
it, and no name leads out of its container.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bindings.errors import FunctionDefinitionError, InvalidArgumentError

MAX_NAME_BYTES: Final = 1024
"""That is S3's limit."""

_CONTAINER: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]")
_CAPTURE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def check_container(name: str) -> None:
    """Raise `InvalidArgumentError` for what can be no container."""
    if not _CONTAINER.fullmatch(name) or ".." in name:
        raise InvalidArgumentError(
            f"'{name:.100}' cannot be a container: use 3 to 63 small letters, digits, '-' and '.', "
            "with a letter or digit first and last, as for a bucket of S3."
        )


def check_name(name: str) -> None:
    """Raise `InvalidArgumentError` for what can be no blob's name."""
    reason = _fault_of(name)
    if reason is not None:
        raise InvalidArgumentError(f"{name[:100]!r} cannot be a blob's name: {reason}.")


def _fault_of(name: str) -> str | None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it is no text that can be written as UTF-8"
    if not name:
        return "it is empty"
    if size > MAX_NAME_BYTES:
        return f"it has {size} bytes, and at most {MAX_NAME_BYTES} are allowed"
    if "\\" in name or _CONTROL.search(name):
        return "it has a backslash or a control character"
    if any(part in {"", ".", ".."} for part in name.split("/")):
        return "between slashes there is at least one sign, and not '.' or '..' alone"
    return None


def split_path(path: str) -> tuple[str, str]:
    """The container and the name. Raises `InvalidArgumentError` if one of them cannot be."""
    container, slash, name = path.partition("/")
    if not slash:
        raise InvalidArgumentError(f"'{path:.100}' is no path of a blob such as container/name.")
    check_container(container)
    check_name(name)
    return container, name


@dataclass(frozen=True, slots=True)
class PathPattern:
    """Which blobs of a container are meant: texts, with a capture between each two of them.

    A capture stands for any text, an empty one and slashes too. Where a name can be taken apart in
    several ways, the first capture is as long as can be, then the second one, and so on: of
    `{name}.{ext}` the dot is the last one.
    """

    container: str
    captures: tuple[str, ...]
    texts: tuple[str, ...]
    """One more than captures."""

    def match(self, name: str) -> Mapping[str, str] | None:
        """What the captures stand for; None if the name does not fit.

        The time it takes grows with the length of the name, whatever is in it.
        """
        if not self.captures:
            return {} if name == self.texts[0] else None
        first, *between, last = self.texts
        end = len(name) - len(last)
        if end < len(first) or not name.startswith(first) or not name.endswith(last):
            return None
        found: list[str] = []
        for text in reversed(between):
            start = name.rfind(text, len(first), end)
            if start < 0:
                return None
            found.append(name[start + len(text) : end])
            end = start
        found.append(name[len(first) : end])
        return dict(zip(self.captures, reversed(found), strict=True))


def path_pattern(path: str) -> PathPattern:
    """Read the path of a trigger. `{{` and `}}` stand for braces in names.

    A path that is a container alone means all that is in it. Raises `FunctionDefinitionError`.
    """
    container, _, rest = path.partition("/")
    try:
        check_container(container)
    except InvalidArgumentError as error:
        raise FunctionDefinitionError(f"The path '{path:.200}' does not do: {error}") from None
    if not rest:
        return PathPattern(container, ("name",), ("", ""))
    captures, texts = _parts(rest, path)
    if not captures:
        try:
            check_name(texts[0])
        except InvalidArgumentError as error:
            raise FunctionDefinitionError(f"The path '{path:.200}' does not do: {error}") from None
    return PathPattern(container, tuple(captures), tuple(texts))


def _parts(rest: str, path: str) -> tuple[list[str], list[str]]:
    """The captures of a pattern, and the texts around them."""
    captures: list[str] = []
    texts: list[str] = []
    text, at = "", 0
    while at < len(rest):
        capture = _CAPTURE.match(rest, at)
        if rest[at : at + 2] in {"{{", "}}"}:
            text += rest[at]
            at += 2
        elif capture is not None:
            captures.append(capture[1])
            texts.append(text)
            text, at = "", capture.end()
        elif rest[at] in "{}":
            raise FunctionDefinitionError(
                f"The path '{path:.200}' has a brace that begins or ends no capture: write "
                "{name}, with letters, digits and '_', or {{ for a brace in names."
            )
        else:
            text += rest[at]
            at += 1
    texts.append(text)
    _check_captures(captures, texts, path)
    return captures, texts


def _check_captures(captures: list[str], texts: list[str], path: str) -> None:
    if len({each.lower() for each in captures}) < len(captures):
        raise FunctionDefinitionError(f"The path '{path:.200}' has two captures of one name.")
    if "" in texts[1:-1]:
        one, other = next(
            pair for pair, text in zip(pairwise(captures), texts[1:-1], strict=True) if not text
        )
        raise FunctionDefinitionError(
            f"The path '{path:.200}' has nothing between {{{one}}} and {{{other}}}: nobody can "
            "tell where the one ends."
        )
