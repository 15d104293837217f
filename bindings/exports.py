"""The last line of an export: it says how many lines come before it.

A host that dies, or a proxy that cuts, may end an export between two lines. Nothing but this line
tells what is left then from the whole.
"""

from __future__ import annotations

import json

from bindings.errors import InvalidArgumentError

_FORMAT = 1
_MAX_BYTES = 100
_MOST = 10**15


def end_line(count: int) -> bytes:
    """The end of an export of so many lines."""
    return b'{"format":%d,"exported":%d}\n' % (_FORMAT, count)


def end_of(line: bytes) -> int | None:
    """How many lines come before this one, if it is the end of an export; else None."""
    if len(line) > _MAX_BYTES or b'"exported"' not in line:
        return None
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.keys() != {"format", "exported"}:
        return None
    count = said["exported"]
    is_end = type(count) is int and 0 <= count < _MOST and said["format"] == _FORMAT
    return count if is_end else None


class Wholeness:
    """Counts lines as they come: exports, one or one after the other, each with its end."""

    def __init__(self) -> None:
        self.is_whole = False
        """Whether the last line was an end."""
        self._count = 0

    def is_end(self, line: bytes) -> bool:
        """Take in a line, and say whether it is an end.

        Raises `InvalidArgumentError` for the end of more lines, or of fewer, than came before it.
        """
        said, count = end_of(line), self._count
        self.is_whole = said == count
        self._count = count + 1 if said is None else 0
        if said not in {None, count}:
            raise InvalidArgumentError(
                f"Here an export of {said:,} lines ends, and {count:,} came: some are missing, or "
                "of another one."
            )
        return said is not None
