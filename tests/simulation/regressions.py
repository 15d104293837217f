"""Seeds that once showed a defect of the engine, by what the defect was.

A seed means something only to the simulator of its time. These stay all the same: they are cheap,
and most still lead to the places where the defects were.
"""

from __future__ import annotations

from tests.simulation.faults import Fault
from tests.simulation.world import HubKind, Plan


def _plan(seed: int, hub: HubKind, without: frozenset[Fault] = frozenset()) -> Plan:
    """These were found when all hosts ran their orchestrators themselves."""
    return Plan(seed=seed, hub=hub, without=without, workers=0.0)


REGRESSIONS: dict[str, Plan] = {
    "one host with room for one activity has much left to run": _plan(seed=2810, hub="model"),
    "a crash leaves batches of an old execution": _plan(seed=4, hub="model"),
    "a host without the function runs an at-most-once activity again": _plan(seed=10, hub="model"),
    "a host without the function and with a late clock clears the alarm": _plan(
        seed=46, hub="model"
    ),
    "old and new view of one host clear an alarm": _plan(seed=133, hub="model"),
    "a zombie begins an at-most-once activity that has ended": _plan(seed=170, hub="model"),
    "a host without the function runs an activity over and over": _plan(seed=662, hub="model"),
    "a row that lands late replaces a newer one": _plan(
        seed=99, hub="model", without=frozenset({Fault.FREEZE})
    ),
    "a late start runs a child again whose id others had since": _plan(seed=5031, hub="model"),
    "a hint lost with its host hides undone effects": _plan(seed=1045, hub="model"),
    "a host without the function turns time back": _plan(seed=1078, hub="model"),
    "another hint comes before the undone effects are seen": _plan(seed=1351, hub="model"),
    "a zombie's hint was deleted by whoever found nothing to do": _plan(seed=1354, hub="model"),
    "two sessions of one instance on one host": _plan(seed=1674, hub="model"),
    "consumed messages survive into the next execution": _plan(seed=1782, hub="model"),
    "a late start has the time of the next one": _plan(seed=5630, hub="model"),
    "an alarm put off by a host without the function stays put off": _plan(seed=8006, hub="model"),
    "a request of a client lands again after continue-as-new": _plan(seed=138, hub="aws"),
    "a late row names chunks that are deleted": _plan(seed=2703, hub="aws"),
    "orders to one that has ended hide its custom status": Plan(seed=1203),
    "a redo hides that a function is missing": Plan(seed=296),
    "what was lost is offered once more by a redo": Plan(seed=3947),
    "a rewound execution that continued as new spins once it is loaded": Plan(seed=228),
    "one that was rewound and terminated takes a turn more once it is loaded": Plan(seed=760),
    "an activity of a terminated one begins once more": Plan(seed=6535),
    "what a finished one left is looked for an hour after its function came": Plan(seed=1657),
    "who waits for a broken import waits longer than a world lasted": Plan(seed=48, hub="aws"),
    "a child whose import failed for half an hour is never there": Plan(seed=721, hub="aws"),
    "a slot of a limit is kept by one that ended with a lost answer": Plan(seed=4018),
    "an activity that waits for its slot begins on two hosts": Plan(
        seed=805, without=frozenset(Fault)
    ),
    "what was offered for too long is offered anew as another host takes it": Plan(
        seed=420, hub="aws", without=frozenset(Fault)
    ),
}
