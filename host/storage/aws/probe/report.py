"""What was found out, for people and for programs. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

from host.storage.aws.probe.records import Answer, Verdict

_HEADS = ("question", "expected", "seen", "what it means here")
_NAME_WIDTH = 18
_LEAST_WIDTH = 100
_MARKS = {Verdict.AS_EXPECTED: "", Verdict.OTHERWISE: "! ", Verdict.UNKNOWN: "? "}


def table(answers: Iterable[Answer], width: int) -> Iterable[str]:
    """Lines of a table; what is not as expected is marked with `!`, what is not known with `?`."""
    column = (max(width, _LEAST_WIDTH) - _NAME_WIDTH) // 3
    widths = (_NAME_WIDTH, column, column, column)
    yield from _row(_HEADS, widths)
    for answer in answers:
        yield "-" * sum(widths)
        name = _MARKS[answer.seen.verdict] + answer.question.name
        cells = (name, answer.question.expected, answer.seen.text, answer.means)
        yield from _row(cells, widths)


def as_data(answers: Iterable[Answer], hub: str, region: str) -> dict[str, Any]:
    """The same as data that can be written as JSON."""
    return {
        "hub": hub,
        "region": region,
        "answers": [
            {
                "question": answer.question.name,
                "asks": answer.question.asks,
                "expected": answer.question.expected,
                "seen": answer.seen.text,
                "verdict": answer.seen.verdict.value,
                "means": answer.means,
                "reliedOnBy": list(answer.question.relied_on_by),
            }
            for answer in answers
        ],
    }


def _row(cells: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    wrapped = [textwrap.wrap(cell, width - 2) for cell, width in zip(cells, widths, strict=True)]
    for line in zip_longest(*wrapped, fillvalue=""):
        padded = (part.ljust(width) for part, width in zip(line, widths, strict=True))
        yield "".join(padded).rstrip()
