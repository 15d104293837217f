"""What happens on a host, as typed events, and who is told of them.

Rules of this file: events are told where something has happened, after it is stored if it is to be
stored, and on the event loop. An observer is called there and then, so it must be quick: every
instance of the host waits for it. What takes longer it does elsewhere, later. What it raises
disturbs nothing and is logged once, with its name. An event is made only if somebody observes its
kind, so whoever tells one asks `wanted` first; that costs next to nothing.

No event is told again, nor kept: what a host that crashes has not told is in the history all the
same, and hosts of one hub tell only what each of them does itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, TypeAlias, get_args

import msgspec

from bindings.shown_values import shown_value
from host.core.failures import Caught, in_words
from host.core.history import ExecutionStarted, TaskScheduled
from host.core.records import ActivityKey, Commit, Instance
from host.logs import HostLog
from host.storage.protocol import WakeUp

_logger = HostLog("funchost.engine")


class TurnCommitted(msgspec.Struct, kw_only=True):
    """A turn is stored. What the instance went through in it are the events of its batch."""

    commit: Commit
    started: ExecutionStarted | None = None
    """How the execution was started that the turn is of."""
    view: Callable[[], Instance] | None = None
    """Gives the row, while the event is told."""
    seen: Instance | None = None
    """The row, once somebody has looked at it."""

    @property
    def row(self) -> Instance:
        """The instance as it is after the turn; what is stored of it may be older.

        It is made when it is asked for, since it costs more than all other events of a turn. So ask
        for it while you are told: later it raises `RuntimeError`, since the instance has gone on.
        """
        if self.seen is None:
            if self.view is None:
                raise RuntimeError("The row of a turn is to be read while the event is told.")
            self.seen = self.view()
        return self.seen


class TurnRefused(msgspec.Struct, frozen=True, kw_only=True):
    """Another host had led the instance on: the turn counts for nothing and is taken anew."""

    commit: Commit


class InstanceStarted(msgspec.Struct, frozen=True, kw_only=True):
    """An instance took its first turn. One that continues as new does not start again."""

    row: Instance


class InstanceTakenOver(msgspec.Struct, frozen=True, kw_only=True):
    """An instance goes on here that was led by a host that vanished, or by an earlier start."""

    row: Instance


class InstanceEnded(msgspec.Struct, frozen=True, kw_only=True):
    """An instance completed, failed or was terminated; its row says which."""

    row: Instance
    error: Caught | None
    """What its code raised, if it did so in this process."""


class InstanceQuarantined(msgspec.Struct, frozen=True, kw_only=True):
    """The code of an instance is run no more, for a while or until somebody redrives it."""

    row: Instance
    reason: str


class WakeUpRedelivered(msgspec.Struct, frozen=True, kw_only=True):
    """A wake-up came that somebody had held before: he vanished, failed, or gave it back."""

    wakeup: WakeUp


class ActivityBegan(msgspec.Struct, frozen=True, kw_only=True):
    """An activity runs from now on; exactly one of the three following events comes after it."""

    key: ActivityKey
    scheduled: TaskScheduled


class ActivityCompleted(msgspec.Struct, frozen=True, kw_only=True):
    """An activity has a result. Its instance takes that in with a later turn."""

    key: ActivityKey
    scheduled: TaskScheduled
    took_s: float


class ActivityFailed(msgspec.Struct, frozen=True, kw_only=True):
    """An activity raised. Whether it is really tried again, the retry policy has yet to say."""

    key: ActivityKey
    scheduled: TaskScheduled
    took_s: float
    error: Caught


class ActivityCancelled(msgspec.Struct, frozen=True, kw_only=True):
    """An activity that was cancelled has come to its end, unheard."""

    key: ActivityKey
    scheduled: TaskScheduled
    took_s: float


Event: TypeAlias = (
    TurnCommitted
    | TurnRefused
    | InstanceStarted
    | InstanceTakenOver
    | InstanceEnded
    | InstanceQuarantined
    | WakeUpRedelivered
    | ActivityBegan
    | ActivityCompleted
    | ActivityFailed
    | ActivityCancelled
)
EVENTS: frozenset[type[Event]] = frozenset(get_args(Event))

See: TypeAlias = Callable[[Any], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observer:
    """Somebody who is told what happens, under a name that the log can blame."""

    name: str
    sees: Mapping[type[Event], See]
    """What is called with each event of a kind. On the event loop: it must be quick."""


class Observers:
    """All who are told what happens on one host. For the event loop's thread."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        """Raises as `add` does."""
        self.wanted: frozenset[type[Event]] = frozenset()
        """The kinds of events that somebody observes."""
        self._calls: dict[type[Event], tuple[tuple[Observer, See], ...]] = {}
        self._only: dict[type[Event], tuple[Observer, See]] = {}
        """What is called with events of kinds that one observer alone sees, as nearly all are."""
        self._failed: set[Observer] = set()
        for each in observers:
            self.add(each)

    def add(self, observer: Observer) -> None:
        """Tell this one, too, from now on. Raises `TypeError` for what it cannot be told."""
        check(observer)
        for kind, see in observer.sees.items():
            self._calls[kind] = (*self._calls.get(kind, ()), (observer, see))
        self._look()

    def remove(self, observer: Observer) -> None:
        """Tell this one no more."""
        for kind in observer.sees:
            left = tuple(call for call in self._calls.pop(kind, ()) if call[0] is not observer)
            if left:
                self._calls[kind] = left
        self._look()
        self._failed.discard(observer)

    def tell(self, event: Event) -> None:
        """Tell whoever observes events of this kind. Never raises."""
        kind = type(event)
        if kind in self._only:
            observer, see = self._only[kind]
            try:
                see(event)
            except BaseException as error:  # noqa: BLE001 - as below
                self._blame(observer, event, error)
            return
        for observer, see in self._calls.get(kind, ()):
            try:
                see(event)
            except BaseException as error:  # noqa: BLE001 - an observer's sys.exit() ends nothing
                self._blame(observer, event, error)

    def _look(self) -> None:
        """See who is there now."""
        self.wanted = frozenset(self._calls)
        self._only = {kind: calls[0] for kind, calls in self._calls.items() if len(calls) == 1}

    def _blame(self, observer: Observer, event: Event, error: BaseException) -> None:
        if observer not in self._failed:
            self._failed.add(observer)
            _logger.error(
                "The observer '%s' failed with %s: %s. What else it fails with is not logged.",
                observer.name,
                type(event).__name__,
                in_words(error),
                exc_info=error,
            )


def check(observer: Observer) -> None:
    """Raise `TypeError` for what cannot be told of events."""
    for kind, see in observer.sees.items():
        if kind not in EVENTS:
            raise TypeError(
                f"The observer '{observer.name}': {shown_value(kind)} is no kind of event."
            )
        if not callable(see) or iscoroutinefunction(see):
            raise TypeError(
                f"The observer '{observer.name}': what sees {kind.__name__} must be a plain "
                "function; it is called, not awaited."
            )
