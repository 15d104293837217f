"""A queue of the hub: FIFO with message groups, and all that such a queue may do to hints.

Rules of this file: an instance is a group; while a hint of it is held, no other of it is given
out, unless a fault says so. A work item is a group of its own: its queue has no order. A hold ends
when its time is over, and then counts for nothing. Hints are given to whoever polls, also to a host
that died while it waited: those come back by their time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextvars import Context
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, NamedTuple, TypeAlias

import msgspec

from host.storage.protocol import Hint, WakeUp
from tests.simulation.faults import Fault, Faults
from tests.simulation.loop import VirtualLoop
from tests.simulation.processes import Process
from tests.simulation.trace import Trace

VISIBILITY_S = 30.0
LONG_POLL_S = 4.0
MAX_DELIVERIES = 100
MAX_AT_ONCE = 10
MAX_HELD_S = 12 * 3600.0
"""No message is held for longer in all."""


class Poke(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is no hint: what it says is its hosts' affair."""

    text: str
    instance_id: str = "nobody"
    receipt: str = ""
    deliveries: int = 1


Message: TypeAlias = Hint | Poke
Poll: TypeAlias = asyncio.Future[Sequence[Message]]


@dataclass(slots=True, eq=False)
class _Message:
    hint: Message
    group: str
    deliveries: int = 0
    holder: str = ""
    held_until: float = 0.0
    received_at: float = 0.0
    taken_by: Process | None = None


class _Waiting(NamedTuple):
    poll: Poll
    limit: int
    process: Process


class Queue:
    """What all hosts share."""

    def __init__(
        self, name: str, loop: VirtualLoop, seed: int, faults: Faults, trace: Trace
    ) -> None:
        self._name = name
        self._loop = loop
        self._random = Random(f"{seed}/{name}")
        self._faults = faults
        self._trace = trace
        self._outside = Context()
        self._messages: list[_Message] = []
        self._added = 0
        self._polls: list[_Waiting] = []
        self._receipts = count(1)
        self.expired_holds = 0
        self.polled = 0
        """How many polls there were."""

    def __len__(self) -> int:
        return len(self._messages)

    # ---- requests -----------------------------------------------------------------------------

    def send(self, hints: Sequence[Message]) -> None:
        """Take in hints."""
        for hint in hints:
            if self._faults.strikes(Fault.LOST_HINT):
                self._trace.step(self._name, "loses", hint.instance_id)
                continue
            for _ in range(2 if self._faults.strikes(Fault.DOUBLE_HINT) else 1):
                if self._faults.strikes(Fault.LATE_HINT):
                    delay_s = self._faults.between(Fault.LATE_HINT, 0.1, 40)
                    self._later(delay_s, self._add, hint)
                else:
                    self._add(hint)

    def poll(self, limit: int, process: Process, wait_s: float = LONG_POLL_S) -> Poll:
        """Wait for hints; what comes may be empty."""
        poll: Poll = self._loop.create_future()
        self.polled += 1
        self._polls.append(_Waiting(poll, limit, process))
        self._later(wait_s, self._give_up, poll)
        self._serve()
        return poll

    def extend(self, receipts: Collection[str], seconds: float = VISIBILITY_S) -> set[str]:
        """Hold longer what is held still and may be held for so long; which that is."""
        until = self._loop.time() + seconds
        held = [x for x in self._held(receipts) if until <= x.received_at + MAX_HELD_S]
        for message in held:
            self._hold(message, message.holder, seconds)
        return {message.holder for message in held}

    def finish(self, receipts: Collection[str]) -> None:
        """Delete what is held still."""
        done = self._held(receipts)
        self._messages = [message for message in self._messages if message not in done]
        self._serve()

    def release(self, receipts: Collection[str]) -> None:
        """Give back what is held still."""
        for message in self._held(receipts):
            message.holder, message.held_until = "", 0.0
        self._serve()

    def holders(self) -> set[str]:
        """The receipts that hold something."""
        return {x.holder for x in self._messages if x.held_until > self._loop.time()}

    def is_held_by(self, process: Process, instance_id: str) -> bool:
        """Whether a process has a hint at an instance that nobody else is given."""
        now = self._loop.time()
        return any(
            x.taken_by is process and x.held_until > now
            for x in self._messages
            if x.hint.instance_id == instance_id
        )

    def left_by(self, process: Process) -> list[str]:
        """What a process has out that will hide hints from the others when it is gone."""
        now = self._loop.time()
        held = [x for x in self._messages if x.taken_by is process and x.held_until > now]
        polls = [x for x in self._polls if x.process is process and not x.poll.done()]
        return [
            *(f"a hint of {each.hint.instance_id} in {self._name}" for each in held),
            *(f"a poll of {self._name}" for _ in polls),
        ]

    def groups(self) -> list[str]:
        """The group of each message that is there, held or not."""
        return [message.group for message in self._messages]

    def purge(self) -> None:
        """Somebody empties the queue by hand."""
        self._trace.step(self._name, "is emptied", str(len(self._messages)))
        self._messages = []

    # ---- inside -------------------------------------------------------------------------------

    def _add(self, hint: Message) -> None:
        self._added += 1
        group = hint.instance_id if isinstance(hint, WakeUp) else str(self._added)
        message = _Message(hint, group)
        if self._messages and self._faults.strikes(Fault.DISORDER):
            self._messages.insert(self._random.randrange(len(self._messages)), message)
        else:
            self._messages.append(message)
        self._serve()

    def _serve(self) -> None:
        while self._messages and self._polls:
            place = self._random.randrange(len(self._polls))
            poll, limit, process = self._polls[place]
            if poll.done():
                del self._polls[place]
                continue
            hints = self._take(limit, process)
            if not hints:
                return
            if self._faults.strikes(Fault.LOST_DELIVERY):
                self._trace.step(self._name, "gives to nobody", hints[0].instance_id)
                continue
            del self._polls[place]
            poll.set_result(hints)

    def _take(self, limit: int, process: Process) -> list[Message]:
        groups: dict[str, list[_Message]] = {}
        for message in self._messages:
            groups.setdefault(message.group, []).append(message)
        hints: list[Message] = []
        for messages in groups.values():
            if len(hints) == min(limit, MAX_AT_ONCE):
                break
            is_held = any(message.held_until > self._loop.time() for message in messages)
            if is_held and not self._faults.strikes(Fault.SHARED_HINT):
                continue
            hints.append(self._hand_out(messages, process))
        return hints

    def _hand_out(self, messages: list[_Message], process: Process) -> Message:
        receipt = f"{self._name} {next(self._receipts)}"
        taken = messages[: self._random.randint(1, len(messages))]
        for message in taken:
            message.deliveries += 1
            message.taken_by = process
            message.received_at = self._loop.time()
            self._hold(message, receipt, VISIBILITY_S)
            if self._faults.strikes(Fault.EARLY_EXPIRY):
                self._later(self._faults.between(Fault.EARLY_EXPIRY, 0, 10), self._end, message)
        hint = msgspec.structs.replace(
            taken[0].hint,
            receipt=receipt,
            deliveries=max(message.deliveries for message in taken),
        )
        if isinstance(hint, WakeUp):
            is_recovery = any(isinstance(x.hint, WakeUp) and x.hint.is_recovery for x in taken)
            hint = msgspec.structs.replace(hint, is_recovery=is_recovery)
        return hint

    def _hold(self, message: _Message, receipt: str, seconds: float) -> None:
        message.holder, message.held_until = receipt, self._loop.time() + seconds
        self._later(seconds, self._expire, message, receipt, message.held_until)

    def _expire(self, message: _Message, receipt: str, until: float) -> None:
        is_over = message.holder == receipt and message.held_until == until
        if is_over and message in self._messages:
            self.expired_holds += 1
            self._end(message)

    def _end(self, message: _Message) -> None:
        message.holder, message.held_until = "", 0.0
        if message.deliveries >= MAX_DELIVERIES and message in self._messages:
            self._messages.remove(message)
        self._serve()

    def _held(self, receipts: Collection[str]) -> list[_Message]:
        now = self._loop.time()
        return [x for x in self._messages if x.holder in receipts and x.held_until > now]

    def _give_up(self, poll: Poll) -> None:
        if not poll.done():
            self._polls = [each for each in self._polls if each.poll is not poll]
            poll.set_result(())

    def _later(self, delay_s: float, call: Callable[..., None], *args: Any) -> None:
        self._loop.call_later(delay_s, call, *args, context=self._outside)
