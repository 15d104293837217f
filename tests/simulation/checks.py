"""What must hold when the faults are over and everything has come to rest.

Pure: functions of what is stored, what users did, and what the world has seen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from bindings.client import RuntimeStatus
from host.core import history
from host.core.alarm import LOOK_AGAIN
from host.core.chain import current_history
from host.core.converter import Converter
from host.core.live_instance import LiveInstance
from host.core.records import Instance, Notice, NoticeKind, Snapshot
from host.core.replay.in_process import InProcessExecutor
from host.core.rewound import counted_history
from host.engine.job_records import Chosen, Job, JobState
from tests.simulation import oracle
from tests.simulation.catalog import Catalog, World
from tests.simulation.debounced import problems_of_bounces
from tests.simulation.entities import problems_of_entities
from tests.simulation.hosts import NEW
from tests.simulation.keeping import DELETED
from tests.simulation.programs import LISTENERS, Program, may_break, may_fail
from tests.simulation.users import DONE, Deeds
from tests.simulation.witness import Happening

MAX_LATE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that is left of a run."""

    stored: Mapping[str, Snapshot]
    """Orchestrations."""
    entities: Mapping[str, Snapshot]
    deeds: Deeds
    world: World
    disturbances: int
    """How often anything went wrong."""
    has_other_code: bool
    """Whether hosts ran that had other code, or lacked some."""
    has_late_writes: bool
    old_since: datetime | None
    """What failed or was terminated by then is deleted; None where all is kept."""
    scheduled: Mapping[str, bool]
    """The labels of all that was recorded to be run and is not called off, as the witness has them.
    """
    taken: Mapping[str, Sequence[str]]
    """The orders that each instance took in, by their reasons, in order."""
    jobs: Sequence[Job] = ()
    chosen: Mapping[str, Collection[Chosen]] | None = None
    """Who was on a page of each job; None if nobody has seen that."""
    late_s: Sequence[float] = ()
    """How late timers fired, where several hosts have room for all that there is to do."""
    left_at_rest: Sequence[str] = ()
    """What is stored and belongs to no instance when all has ended."""
    left_by_purge: Sequence[str] = ()
    """What their purge should have removed of them, too."""
    happened: Collection[Happening] = ()
    """All that is to be told of instances, also of those that are gone."""
    remembered: Collection[Happening] = ()
    """The same, of those that are there."""
    told: Collection[Notice] | None = None
    """What was told outside of the hub, or is kept to be; None if nobody wants to know."""
    left_by_repair: Sequence[str] = ()
    """The same after the repair of the hub."""


Check: TypeAlias = Callable[[Outcome], Iterator[str]]


def problems_of(outcome: Outcome) -> list[str]:
    """All that is wrong."""
    return [
        f"{check.__name__.strip('_').replace('_', ' ')}: {problem}"
        for check in CHECKS
        for problem in check(outcome)
    ]


def _every_start_is_there(outcome: Outcome) -> Iterator[str]:
    for instance_id, said in outcome.deeds.started.items():
        is_removed = instance_id in outcome.deeds.removed
        if said == DONE and not is_removed and instance_id not in outcome.stored:
            yield f"{instance_id} was started and is gone"


def _everything_is_finished(outcome: Outcome) -> Iterator[str]:
    for instance_id, snapshot in outcome.stored.items():
        row = snapshot.instance
        if not row.is_finished:
            yield f"{instance_id} is {row.status}, {_last_events(snapshot)}"
        if row.blocked_reason:
            yield f"{instance_id} is blocked: {row.blocked_reason}"


def _what_is_old_is_deleted(outcome: Outcome) -> Iterator[str]:
    for instance_id, snapshot in outcome.stored.items():
        row, since = snapshot.instance, outcome.old_since
        # By clocks of hosts that are off: one that is ahead may have imported it.
        latest = max(row.created_at, row.updated_at, row.imported_at or row.created_at)
        if since is not None and row.status in DELETED and latest <= since:
            yield f"{instance_id} is {row.status} and is there still"


def _every_end_is_allowed(outcome: Outcome) -> Iterator[str]:
    for instance_id, snapshot in outcome.stored.items():
        row = snapshot.instance
        if row.name != "program" or not row.is_finished:
            continue
        if instance_id.partition(":")[0] in outcome.deeds.felled:
            continue
        program = json.loads(row.input or "null")
        match row.status:
            case RuntimeStatus.TERMINATED:
                if not _may_be_terminated(row, outcome):
                    yield f"{instance_id} was terminated by nobody"
            case RuntimeStatus.FAILED:
                if not _may_have_failed(row, program, outcome):
                    yield f"{instance_id} failed: {row.failure and row.failure.message}"
            case RuntimeStatus.COMPLETED:
                log = json.loads(row.output or "null")
                found = oracle.problems_of_log(program, log, outcome.world)
                if _has_fewer_tries(instance_id, outcome):
                    found = (each for each in found if "failed with ValueError" not in each)
                yield from (f"{instance_id}: {problem}" for problem in found)
            case other:
                yield f"{instance_id} is {other}"


def _may_have_failed(row: Instance, program: Program, outcome: Outcome) -> bool:
    if row.failure is None:
        return False
    if _has_fewer_tries(row.instance_id, outcome) and "not yet" in row.failure.message:
        return True
    return may_fail(program) or may_break(program)


def _has_fewer_tries(instance_id: str, outcome: Outcome) -> bool:
    """Whether it goes on in the midst of another's retries, while its activities begin anew."""
    return instance_id.startswith((*outcome.deeds.copied, *outcome.deeds.forked))


def _events_are_observed_once_and_in_order(outcome: Outcome) -> Iterator[str]:
    for listener in LISTENERS:
        snapshot = outcome.stored.get(listener)
        if snapshot is None or snapshot.instance.status is not RuntimeStatus.COMPLETED:
            yield f"{listener} did not complete"
            continue
        heard = json.loads(snapshot.instance.output or "[]")
        yield from _problems_of_hearing(listener, heard, outcome)
        counts = Counter(heard)
        for said in outcome.deeds.said:
            if said.target == listener and said.outcome == DONE and not counts[said.words]:
                yield f"{listener} did not hear {said.words}"
        for sender, words in _sent_to(listener, outcome):
            if not counts[words]:
                yield f"{listener} did not hear {words} of {sender}"


def _programs_hear_once_and_in_order(outcome: Outcome) -> Iterator[str]:
    for instance_id, snapshot in outcome.stored.items():
        row = snapshot.instance
        if row.name == "program" and row.status is RuntimeStatus.COMPLETED:
            program, log = json.loads(row.input or "null"), json.loads(row.output or "[]")
            heard = list(oracle.heard_by(program, log))
            yield from _problems_of_hearing(instance_id, heard, outcome)


def _no_order_is_refused_by_an_old_view(outcome: Outcome) -> Iterator[str]:
    for refusal in outcome.deeds.refused:
        yield f"an active instance refused an order: {refusal}"


def _orders_take_effect_as_they_were_accepted(outcome: Outcome) -> Iterator[str]:
    """Of what was accepted one after the other, none takes effect before one that came earlier."""
    for instance_id, taken in outcome.taken.items():
        if instance_id in outcome.deeds.removed | outcome.deeds.unsure:
            continue
        accepted = [
            said.words
            for said in outcome.deeds.ordered
            if said.target == instance_id and said.outcome == DONE
        ]
        effective = [words for words in taken if words in accepted]
        if effective != accepted[: len(effective)]:
            yield f"{instance_id} accepted {accepted} and took in {effective}"


def _jobs_end_and_count_each_instance_once(outcome: Outcome) -> Iterator[str]:
    for job in outcome.jobs:
        if job.is_running:
            yield f"{job.action.value} {job.job_id} never ends"
        if job.job_id in outcome.deeds.cancelled and job.state is not JobState.CANCELLED:
            yield f"{job.action.value} {job.job_id} was cancelled, and is {job.state.value}"
        if job.matched != job.done + job.failed:
            yield f"of {job.matched} there are {job.done} done and {job.failed} failed"
        seen = None if outcome.chosen is None else len(outcome.chosen.get(job.job_id, ()))
        if seen not in {None, job.matched}:
            yield f"{job.matched} are matched, of {seen} that were on a page"


def _orders_of_jobs_are_taken_in_once(outcome: Outcome) -> Iterator[str]:
    for instance_id, taken in outcome.taken.items():
        for words, times in Counter(taken).items():
            if words.startswith("job ") and times > 1:
                yield f"{instance_id} took in '{words}' {times} times"


def _problems_of_hearing(listener: str, heard: Sequence[str], outcome: Outcome) -> Iterator[str]:
    """Nothing twice; and what one user raised for sure, in that order, through whatever hosts."""
    sure = {said.words for said in outcome.deeds.said if said.outcome == DONE}
    for words, times in Counter(heard).items():
        if times > 1:
            yield f"{listener} heard {words} {times} times"
    latest: dict[str, int] = {}
    for words in heard:
        if words in sure:
            sender, _, place = words.partition("#")
            sender = sender.partition("@")[0]
            number = int(place.split(".")[0])
            if number < latest.get(sender, -1):
                yield f"{listener} heard {words} too late"
            latest[sender] = number


def _sent_to(listener: str, outcome: Outcome) -> Iterator[tuple[str, str]]:
    for instance_id, snapshot in outcome.stored.items():
        row = snapshot.instance
        if row.name == "program" and row.status is RuntimeStatus.COMPLETED:
            program, log = json.loads(row.input or "null"), json.loads(row.output or "[]")
            for target, words in oracle.sent_by(program, log):
                if target == listener:
                    yield instance_id, words


def _recorded_results_were_worked_for(outcome: Outcome) -> Iterator[str]:
    for instance_id, snapshot in outcome.stored.items():
        events = current_history(snapshot)
        calls = {x.task_id: x for x in events if isinstance(x, history.TaskScheduled)}
        for event in events:
            is_lost = (
                isinstance(event, history.TaskFailed)
                and event.failure.error_type == "ActivityLostError"
            )
            if isinstance(event, history.TaskCompleted | history.TaskFailed) and not is_lost:
                label = json.loads(calls[event.task_id].input or "{}").get("label")
                if not outcome.world.ended[label]:
                    yield f"{instance_id}: activity {label} never ended"


def _work_is_not_done_over_and_over(outcome: Outcome) -> Iterator[str]:
    asked = {} if outcome.disturbances else how_often_asked_for(outcome)
    copies = outcome.deeds.forked | outcome.deeds.copied
    often = 4 + 2 * outcome.disturbances
    for label, times in outcome.world.begun.items():
        # Who forks in the midst of retries asks again, under the same words.
        if times > asked.get(label, often) + 4 * len(copies):
            yield f"{label} was run {times} times in {outcome.disturbances} disturbances"


def how_often_asked_for(outcome: Outcome) -> Counter[str]:
    """In histories that are there still: retries ask again."""
    return Counter(
        json.loads(event.input or "{}").get("label")
        for snapshot in outcome.stored.values()
        for event in current_history(snapshot)
        if isinstance(event, history.TaskScheduled)
    )


def _what_was_scheduled_ran(outcome: Outcome) -> Iterator[str]:
    """Whatever became of its orchestration. What begins once may be lost with a host."""
    for label, is_once in outcome.scheduled.items():
        may_be_lost = is_once and outcome.disturbances
        if not (outcome.world.ended[label] or may_be_lost):
            yield f"{label} was scheduled and begun {outcome.world.begun[label]} times, to no end"


def _what_is_done_at_most_once_is(outcome: Outcome) -> Iterator[str]:
    for label in outcome.world.only_once:
        if outcome.world.begun[label] > 1:
            yield f"{label} was begun {outcome.world.begun[label]} times"


def _histories_are_well_formed(outcome: Outcome) -> Iterator[str]:
    for instance_id, snapshot in outcome.stored.items():
        yield from (f"{instance_id}: {each}" for each in _problems_of_history(snapshot))


def _problems_of_history(snapshot: Snapshot) -> Iterator[str]:
    counted = counted_history(snapshot)
    events = [x for x in counted if not isinstance(x, history.ExecutionRewound)]
    if not events or not isinstance(events[0], history.OrchestratorStarted):
        yield "the history does not begin with a turn"
        return
    if sum(isinstance(event, history.ExecutionStarted) for event in events) != 1:
        yield "the history does not start once"
    if not isinstance(events[-1], history.ExecutionCompleted):
        yield f"the history ends with {type(events[-1]).__name__}"
    yield from _problems_of_tasks(events)


def _problems_of_tasks(events: Sequence[history.HistoryEvent]) -> Iterator[str]:
    """Every answer has one question, every question at most one answer."""
    asked: dict[int, str] = {}
    answered: set[int] = set()
    for event in events:
        task_id = getattr(event, "task_id", None)
        if task_id is None:
            continue
        if isinstance(event, _ASKING):
            if task_id in asked:
                yield f"task {task_id} was asked twice"
            asked[task_id] = _ANSWERED_BY[type(event)]
        elif not isinstance(event, _ANSWERED_BY_NOBODY):
            if task_id in answered:
                yield f"task {task_id} was answered twice"
            answered.add(task_id)
            if not type(event).__name__.startswith(asked.get(task_id, "nothing")):
                yield f"task {task_id} was answered by {type(event).__name__}"


_ANSWERED_BY: dict[type[Any], str] = {
    history.TaskScheduled: "Task",
    history.TimerCreated: "TimerFired",
    history.SubOrchestrationInstanceCreated: "SubOrchestrationInstance",
    history.EntityOperationCalled: "EntityOperation",
    history.EntityLockRequested: "EntityLockGranted",
}
_ANSWERED_BY_NOBODY = (
    history.EventSent,
    history.EntityOperationSignaled,
    history.EntityUnlockSent,
)
_ASKING = tuple(_ANSWERED_BY)


def _what_came_first_comes_first(outcome: Outcome) -> Iterator[str]:
    """Of what one turn took in: nobody who was in time comes after the timer of his deadline."""
    for instance_id, snapshot in outcome.stored.items():
        for stored in snapshot.batches:
            reached: datetime | None = None
            for event in stored.batch.events:
                if isinstance(event, history.TimerFired):
                    reached = event.fire_at if reached is None else max(reached, event.fire_at)
                elif reached and isinstance(event, _COMING) and event.timestamp < reached:
                    kind = type(event).__name__
                    yield f"{instance_id}: a {kind} of {event.timestamp} comes after {reached}"


_COMING = (
    history.EventRaised,
    history.TaskCompleted,
    history.TaskFailed,
    history.SubOrchestrationInstanceCompleted,
    history.SubOrchestrationInstanceFailed,
    history.EntityOperationCompleted,
    history.EntityOperationFailed,
    history.EntityLockGranted,
)


def _rows_equal_their_histories(outcome: Outcome) -> Iterator[str]:
    for instance_id, snapshot in outcome.stored.items():
        live = LiveInstance(snapshot, InProcessExecutor(Catalog(outcome.world), Converter()))
        view, row = live.state.view(), snapshot.instance
        names = ["status", "output", "failure", "execution_id", "generation", "input"]
        # No history says it: other code shows another status, and without its code nobody knows it.
        # What was terminated at its start showed none yet.
        is_other = outcome.has_other_code or instance_id.startswith(tuple(outcome.deeds.copied))
        is_other |= row.version == NEW  # a host of the old one may have written the end
        if not (is_other or row.status is RuntimeStatus.TERMINATED):
            names.append("custom_status")
        for name in names:
            if getattr(view, name) != getattr(row, name):
                yield (
                    f"{instance_id}: {name} is {getattr(row, name)!r}, by its history "
                    f"{getattr(view, name)!r}"
                )
        live.close()


def _timers_are_punctual_in_peace(outcome: Outcome) -> Iterator[str]:
    late = [seconds for seconds in outcome.late_s if seconds > MAX_LATE_S]
    if late and not outcome.disturbances:
        yield f"{len(late)} of {len(outcome.late_s)} timers were late, up to {max(late):.1f} s"


def _nothing_is_left_over(outcome: Outcome) -> Iterator[str]:
    for instance_id, snapshot in outcome.stored.items():
        if snapshot.inbox:
            yield f"{instance_id} has messages: {[type(x.event).__name__ for x in snapshot.inbox]}"
        # A late copy of the request that left an activity: nobody looks, and a purge removes it.
        is_late_copy = snapshot.instance.is_finished and snapshot.wake_at is None
        if snapshot.leases and not (is_late_copy and outcome.has_late_writes):
            yield f"{instance_id} has leases"
        # A host without others, and without an activity's function, looks again in an hour. Who ran
        # that activity meanwhile is no other to it, and the world is over by then.
        since = snapshot.instance.updated_at
        if snapshot.wake_at is not None and snapshot.wake_at - since < LOOK_AGAIN:
            yield f"{instance_id} has an alarm"
        others = {x.execution_id for x in snapshot.batches} - {snapshot.instance.execution_id}
        # A host may die between a final row and the deletion: then it is for the purge.
        is_for_purge = snapshot.instance.is_finished and outcome.disturbances
        if others and not is_for_purge:
            yield f"{instance_id} has batches of {len(others)} old executions"


def _nothing_is_stored_for_nobody(outcome: Outcome) -> Iterator[str]:
    # A host may die between a deletion and the next, or be late: what is left then goes with the
    # next purge, or with the repair of the hub.
    if not outcome.disturbances:
        yield from outcome.left_at_rest
    yield from (f"{each}, after its purge" for each in outcome.left_by_purge)
    yield from (f"{each}, after the repair" for each in outcome.left_by_repair)


def _may_be_terminated(row: Instance, outcome: Outcome) -> bool:
    current: Instance | None = row
    while current is not None:
        if current.instance_id in outcome.deeds.terminated:
            return True
        if current.parent is None:
            return False
        parent = outcome.stored.get(current.parent.instance_id)
        if parent is None or parent.instance.execution_id != current.parent.execution_id:
            return True  # whoever it was is gone
        if not _still_says(parent, current.parent.task_id):
            return True
        current = parent.instance
    return False


def _still_says(parent: Snapshot, task_id: int) -> bool:
    """Whether it has started this child, and no rewind has taken that back."""
    return any(
        isinstance(event, history.SubOrchestrationInstanceCreated) and event.task_id == task_id
        for event in counted_history(parent)
    )


def _versions_are_kept(outcome: Outcome) -> Iterator[str]:
    """Nobody leads an instance of a newer version, and children have that of their parent."""
    yield from dict.fromkeys(f"{each} was led" for each in outcome.world.misled)
    for instance_id, snapshot in outcome.stored.items():
        row = snapshot.instance
        parent = None if row.parent is None else outcome.stored.get(row.parent.instance_id)
        if row.parent is None or parent is None:
            continue
        of_it = parent.instance.execution_id == row.parent.execution_id
        if of_it and parent.instance.version != row.version:
            yield f"{instance_id} is of {row.version}, its parent of {parent.instance.version}"


def _what_happened_is_told(outcome: Outcome) -> Iterator[str]:
    """Once or more, and each time under the same id; and nothing else is."""
    if outcome.told is None:
        return
    ids = {(each.instance_id, each.kind, each.at, each.notice_id) for each in outcome.told}
    told = Counter(each[:3] for each in ids)
    for (instance_id, kind, at), count in _counted(outcome.remembered).items():
        if told[instance_id, kind, at] < count:
            yield f"nobody was told that {instance_id} {kind} at {at}"
    happened = _counted(outcome.happened)
    for (instance_id, kind, at), count in told.items():
        if count > happened[instance_id, kind, at]:
            yield f"{instance_id} was said too often to have {kind} at {at}"


def _counted(happenings: Collection[Happening]) -> Counter[tuple[str, NoticeKind, datetime]]:
    return Counter((each.instance_id, each.kind, each.at) for each in sorted(happenings))


def _entities_do_all_once_and_in_order(outcome: Outcome) -> Iterator[str]:
    yield from problems_of_entities(outcome.entities, outcome.stored, outcome.deeds.asked)


def _last_events(snapshot: Snapshot) -> str:
    return ", ".join(type(event).__name__ for event in current_history(snapshot)[-4:])


def _the_last_debounced_start_counts(outcome: Outcome) -> Iterator[str]:
    world = outcome.world
    yield from problems_of_bounces(outcome.deeds.bounces, world.ended, world.begun)


CHECKS: tuple[Check, ...] = (
    _every_start_is_there,
    _everything_is_finished,
    _what_is_old_is_deleted,
    _every_end_is_allowed,
    _events_are_observed_once_and_in_order,
    _programs_hear_once_and_in_order,
    _no_order_is_refused_by_an_old_view,
    _orders_take_effect_as_they_were_accepted,
    _jobs_end_and_count_each_instance_once,
    _orders_of_jobs_are_taken_in_once,
    _recorded_results_were_worked_for,
    _work_is_not_done_over_and_over,
    _what_was_scheduled_ran,
    _what_is_done_at_most_once_is,
    _histories_are_well_formed,
    _what_came_first_comes_first,
    _rows_equal_their_histories,
    _timers_are_punctual_in_peace,
    _nothing_is_left_over,
    _nothing_is_stored_for_nobody,
    _versions_are_kept,
    _what_happened_is_told,
    _entities_do_all_once_and_in_order,
    _the_last_debounced_start_counts,
)
