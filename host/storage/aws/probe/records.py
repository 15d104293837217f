"""What is asked, and what was seen.

Rules of this file: a question says what the drivers rely on and which code does, so that its answer
can be acted on. A test holds that the code it names is there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from host.storage.aws.probe.ground import Ground


class Verdict(StrEnum):
    """What an answer is worth."""

    AS_EXPECTED = "as expected"
    OTHERWISE = "otherwise"
    UNKNOWN = "not found out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen, in a few words."""

    verdict: Verdict
    text: str


def judged(text: str, *, as_expected: bool) -> Seen:
    """Something that was seen clearly."""
    return Seen(verdict=Verdict.AS_EXPECTED if as_expected else Verdict.OTHERWISE, text=text)


def unknown(text: str) -> Seen:
    """Nothing was seen, and why."""
    return Seen(verdict=Verdict.UNKNOWN, text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing to find out.

    `expected` is what is relied on by the code that `relied_on_by` names (`module:name`);
    `otherwise` what it means here if it is not so. With `needs_load` it takes minutes, or money.
    """

    name: str
    asks: str
    expected: str
    otherwise: str
    relied_on_by: Sequence[str]
    ask: Callable[[Ground], Awaitable[Seen]]
    needs_load: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question and what was seen; `broke` if the question itself failed, by a mistake of ours."""

    question: Question
    seen: Seen
    broke: bool = False

    @property
    def means(self) -> str:
        """What it means here."""
        match self.seen.verdict:
            case Verdict.AS_EXPECTED:
                return "nothing to do"
            case Verdict.OTHERWISE:
                return self.question.otherwise
            case Verdict.UNKNOWN:
                return "ask again, or by hand"
