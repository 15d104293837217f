"""Orchestrations of every kind, with what each must give and which steps it must run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CHILDREN_OF_PARENT = 3

FAN_WIDTH = 6
WIDE = 100
ITEMS = 6
STOP = -1
COUNT = 4
BONUS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How many of each kind. `fed_by_notifiers` counts pairs; a wide fan-out is of 100."""

    chains: int
    fan_outs: int
    wide_fan_outs: int = 0
    alarms: int
    fed_by_notifiers: int
    fed_by_clients: int
    parents: int
    countdowns: int


THOUSAND = Mix(
    chains=300,
    fan_outs=150,
    alarms=150,
    fed_by_notifiers=50,
    fed_by_clients=100,
    parents=100,
    countdowns=100,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One orchestration. `expected` is None where the result is not known before the run."""

    instance_id: str
    function: str
    input: Any = None
    expected: Any = None
    steps: tuple[str, ...] = ()
    is_sequence: bool = True

    @property
    def is_fed_by_client(self) -> bool:
        """Whether it collects what the client sends, so that its result depends on the kills."""
        return self.function == "collector" and self.expected is None


def chain(number: int) -> Job:
    """Six activities, one after the other: add one, double, add one, ..."""
    value = number
    for step in range(6):
        value = value * 2 if step % 2 else value + 1
    return Job(
        instance_id=f"chain-{number}",
        function="chain",
        input=number,
        expected=value,
        steps=("before-0", "before-1", "before-2", "after-3", "after-4", "after-5"),
    )


def fan_out(number: int, width: int = FAN_WIDTH) -> Job:
    """Two rounds of activities side by side."""
    values = [number + offset for offset in range(width)]
    return Job(
        instance_id=f"fan-out-of-{width}-{number}",
        function="fan_out",
        input=values,
        expected=sum(value * 2 + 1 for value in values),
        steps=tuple(f"{half}-{i}" for half in ("before", "after") for i in range(width)),
        is_sequence=False,
    )


def alarm(number: int) -> Job:
    """Timers; the time comes with the `go`."""
    return Job(instance_id=f"alarm-{number}", function="alarm", steps=("armed-0", "rang-0"))


def fed_by_notifier(number: int) -> tuple[Job, Job]:
    """A collector, and the orchestration that sends it events."""
    collector = Job(
        instance_id=f"partner-{number}",
        function="collector",
        input=[],
        expected=list(range(ITEMS)),
        steps=tuple(f"item-{item}" for item in range(ITEMS)),
    )
    notifier = Job(
        instance_id=f"notifier-{number}",
        function="notifier",
        input=collector.instance_id,
        expected=ITEMS,
        steps=tuple(f"after-{item}" for item in range(ITEMS)),
    )
    return collector, notifier


def fed_by_client(number: int) -> Job:
    """A collector that gets its events over HTTP."""
    return Job(instance_id=f"collector-{number}", function="collector", input=[])


def parent(number: int) -> Job:
    """Sub-orchestrations, two side by side and then one more."""
    children = ("before-0", "before-1", "after-2")
    value = (number + 1) * 2
    return Job(
        instance_id=f"parent-{number}",
        function="parent",
        input=number,
        expected=[value, value, value + 2],
        steps=tuple(f"{child}-{step}" for child in children for step in range(2)),
        is_sequence=False,
    )


def countdown(number: int) -> Job:
    """Five executions by continue-as-new, and an event that is carried through them."""
    return Job(
        instance_id=f"countdown-{number}",
        function="countdown",
        input={"left": COUNT, "total": number},
        expected=number + 2 * sum(range(COUNT + 1)) + BONUS + 1,
        steps=(*(f"before-{left}" for left in range(COUNT, 0, -1)), "after-0"),
    )


def mixed_jobs(mix: Mix) -> list[Job]:
    """All jobs, the kinds well mixed."""
    pairs = [fed_by_notifier(number) for number in range(mix.fed_by_notifiers)]
    kinds = [
        [chain(number) for number in range(mix.chains)],
        [fan_out(number) for number in range(mix.fan_outs)],
        [fan_out(number, WIDE) for number in range(mix.wide_fan_outs)],
        [alarm(number) for number in range(mix.alarms)],
        [collector for collector, _ in pairs],
        [notifier for _, notifier in pairs],
        [fed_by_client(number) for number in range(mix.fed_by_clients)],
        [parent(number) for number in range(mix.parents)],
        [countdown(number) for number in range(mix.countdowns)],
    ]
    placed = [(place / len(jobs), job) for jobs in kinds for place, job in enumerate(jobs)]
    return [job for _, job in sorted(placed, key=lambda each: each[0])]
