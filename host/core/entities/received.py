"""Which messages an entity has taken in, in few bytes: it stores that with each batch.

A sender that dies after it has sent, and before that is noted, sends all of its turn again, however
long ago the entity did it. Ids of such messages are those of tasks, `<execution>.<task>`. So of
each sender runs of task ids are kept: what it sends in a row, or every second one, is one run. The
senders that were heard last are kept, and of each the last runs.

A sender is written as one text, `<execution>.1-300+305+310-400/2`: a run, a task alone, and a run
of every second. A task alone is written as its id is; so what older versions kept, each id by
itself, is read as well. Ids of clients and of others are kept one by one.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from host.core import ids
from host.core.ledger import RECENT_MESSAGES, RECENT_REQUESTS

MAX_SENDERS = 128
"""How many senders are remembered."""
MAX_RUNS = 128
"""How many runs of one sender are."""
MAX_RUNS_OF_ALL = 512
"""How many runs are, of all: whoever was not heard for longest is forgotten first."""

_TASK = re.compile(r"(?P<sender>[^.]+)\.(?P<task>0|[1-9][0-9]{0,17})", re.ASCII)
_SENDER = re.compile(r"(?P<sender>[^.]+)\.(?P<runs>[0-9][-+/0-9]*)", re.ASCII)
_RUN = re.compile(r"(?P<first>\d{1,18})(?:-(?P<last>\d{1,18})(?:/(?P<step>\d{1,18}))?)?", re.ASCII)


class Run(NamedTuple):
    """Task ids from the first to the last, each so much after the one before."""

    first: int
    last: int
    step: int = 1

    def has(self, task_id: int) -> bool:
        """Whether the task is one of them."""
        is_within = self.first <= task_id <= self.last
        return is_within and (task_id - self.first) % self.step == 0

    def with_next(self, task_id: int) -> Run | None:
        """The run with this task at its end; None if it does not go on so."""
        step = task_id - self.last
        if step <= 0 or (self.first != self.last and step != self.step):
            return None
        return Run(self.first, task_id, step)

    def __str__(self) -> str:
        """The run as it is written."""
        if self.first == self.last:
            return str(self.first)
        return f"{self.first}-{self.last}" + (f"/{self.step}" if self.step > 1 else "")


class Received:
    """What an entity has taken in, as far as late copies of it may come."""

    def __init__(self, written: Iterable[str] = ()) -> None:
        """`written` is what `written` gave, or the ids that an older version kept."""
        self._runs: dict[str, list[Run]] = {}
        """By sender, the one that was heard last at the end."""
        self._count = 0
        self._of_clients: deque[str] = deque(maxlen=RECENT_REQUESTS)
        self._of_others: deque[str] = deque(maxlen=RECENT_MESSAGES)
        for each in written:
            self._read(each)

    def has(self, message_id: str) -> bool:
        """Whether the message is known to have been taken in."""
        found = _TASK.fullmatch(message_id)
        if found is None:
            return message_id in self._of_clients or message_id in self._of_others
        task_id = int(found["task"])
        return any(run.has(task_id) for run in self._runs.get(found["sender"], ()))

    def add(self, message_ids: Iterable[str]) -> None:
        """Remember these, too."""
        for each in message_ids:
            found = _TASK.fullmatch(each)
            if found is not None:
                self._add_task(found["sender"], int(found["task"]))
            elif ids.is_sent_by_client(each):
                _move_to_end(self._of_clients, each)
            elif ids.is_sent_by_task(each):
                _move_to_end(self._of_others, each)

    def copy(self) -> Received:
        """The same, which goes on by itself."""
        other = Received()
        other._runs = {sender: [*runs] for sender, runs in self._runs.items()}
        other._count = self._count
        other._of_clients.extend(self._of_clients)
        other._of_others.extend(self._of_others)
        return other

    def written(self) -> tuple[str, ...]:
        """All of it as texts: what will be forgotten first comes first."""
        senders = (f"{each}.{'+'.join(map(str, runs))}" for each, runs in self._runs.items())
        return (*senders, *self._of_others, *self._of_clients)

    def _read(self, text: str) -> None:
        found = _SENDER.fullmatch(text)
        runs = None if found is None else _runs_of(found["runs"])
        if found is None or runs is None:
            self.add([text])
        elif runs == [Run(runs[0].first, runs[0].first)]:
            self._add_task(found["sender"], runs[0].first)
        else:
            self._runs.setdefault(found["sender"], []).extend(runs)
            self._count += len(runs)
            self._forget()

    def _add_task(self, sender: str, task_id: int) -> None:
        runs = self._runs[sender] = self._runs.pop(sender, [])
        longer = runs[-1].with_next(task_id) if runs else None
        if longer is not None:
            runs[-1] = longer
        elif not any(run.has(task_id) for run in runs):
            runs.append(Run(task_id, task_id))
            self._count += 1
            self._forget()

    def _forget(self) -> None:
        """Let go of what is too much, the oldest first."""
        latest = next(reversed(self._runs.values()))
        self._count -= len(latest[:-MAX_RUNS])
        del latest[:-MAX_RUNS]
        while len(self._runs) > MAX_SENDERS or self._count > MAX_RUNS_OF_ALL:
            oldest = next(iter(self._runs))
            self._count -= len(self._runs.pop(oldest))


def _runs_of(text: str) -> list[Run] | None:
    """The runs that are written so; None for what is none."""
    runs: list[Run] = []
    for each in text.split("+"):
        found = _RUN.fullmatch(each)
        if found is None:
            return None
        first = int(found["first"])
        run = Run(first, int(found["last"] or first), int(found["step"] or 1))
        if run.last < run.first or run.step < 1:
            return None
        runs.append(run)
    return runs


def _move_to_end(known: deque[str], message_id: str) -> None:
    if message_id in known:
        known.remove(message_id)
    known.append(message_id)
