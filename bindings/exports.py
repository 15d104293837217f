"""The end of an export: its last line says how many there are.

A host that dies, or a proxy that cuts, may end an export between two lines. Nothing else tells what
is left then from the whole.
"""

from __future__ import annotations

import re

from bindings.errors import InvalidArgumentError

MAX_END_BYTES = 100
_END = re.compile(rb',\s*"exported"\s*:\s*(\d{1,15})\s*\}\s*\Z')


def ended(line: bytes, count: int) -> bytes:
    """The last line of so many: the same, and the number."""
    return b'%s,"exported":%d}\n' % (line.rstrip().removesuffix(b"}"), count)


def count_in(line: bytes) -> int | None:
    """How many lines there are up to this one, if it is the last; else None."""
    found = _END.search(line[-MAX_END_BYTES:])
    return None if found is None else int(found[1])


class Wholeness:
    """Counts lines as they come: exports, one or one after the other, each with its end."""

    def __init__(self) -> None:
        self.is_whole = False
        """Whether the last line was an end."""
        self._count = 0

    def see(self, line: bytes) -> None:
        """Take in a line.

        Raises `InvalidArgumentError` for the end of more lines, or of fewer, than came.
        """
        if not line.strip():
            return
        self._count += 1
        said, count = count_in(line), self._count
        self.is_whole = said == count
        if said is None:
            return
        self._count = 0
        if said != count:
            raise InvalidArgumentError(
                f"Here an export of {said:,} lines ends, and {count:,} came: some are missing, or "
                "of another one."
            )
