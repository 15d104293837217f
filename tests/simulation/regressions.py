"""Seeds that once showed a defect of the engine, by what the defect was.

A seed means something only to the simulator of its time. These stay all the same: they are cheap,
and most still lead to the places where the defects were.
"""

from __future__ import annotations

from tests.simulation.faults import Fault
from tests.simulation.world import Plan

REGRESSIONS: dict[str, Plan] = {
    "a crash leaves batches of an old execution": Plan(seed=4, hub="model"),
    "a host without the function runs an at-most-once activity again": Plan(seed=10, hub="model"),
    "a host without the function and with a late clock clears the alarm": Plan(
        seed=46, hub="model"
    ),
    "old and new view of one host clear an alarm": Plan(seed=133, hub="model"),
    "a zombie begins an at-most-once activity that has ended": Plan(seed=170, hub="model"),
    "a host without the function runs an activity over and over": Plan(seed=662, hub="model"),
    "a row that lands late replaces a newer one": Plan(
        seed=99, hub="model", without=frozenset({Fault.FREEZE})
    ),
    "a late start runs a child again whose id others had since": Plan(seed=5031, hub="model"),
    "a hint lost with its host hides undone effects": Plan(seed=1045, hub="model"),
    "a host without the function turns time back": Plan(seed=1078, hub="model"),
    "another hint comes before the undone effects are seen": Plan(seed=1351, hub="model"),
    "a zombie's hint was deleted by whoever found nothing to do": Plan(seed=1354, hub="model"),
    "two sessions of one instance on one host": Plan(seed=1674, hub="model"),
    "consumed messages survive into the next execution": Plan(seed=1782, hub="model"),
    "a late start has the time of the next one": Plan(seed=5630, hub="model"),
    "an alarm put off by a host without the function stays put off": Plan(seed=8006, hub="model"),
    "a request of a client lands again after continue-as-new": Plan(seed=138, hub="aws"),
    "a late row names chunks that are deleted": Plan(seed=2703, hub="aws"),
}
