"""What a locked entity sees to, and in which order: its inbox alone says it."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.core.entities.locks import Step, in_order
from host.core.history import (
    EntityLock,
    EntityLockRequested,
    EntityOperationCalled,
    EntityOperationSignaled,
    EntityUnlockSent,
    InboxEvent,
    ParentInstance,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENTITY = "@e@k"


def asker(name: str) -> ParentInstance:
    return ParentInstance(instance_id=name, execution_id=f"x-{name}", task_id=1)


def lock_of(name: str) -> EntityLock:
    return EntityLock(holder=asker(name), since=NOW)


def event_of(word: str) -> InboxEvent:
    """`a+` asks for a lock, `a-` unlocks, `a!` calls within the section, `a?` from outside."""
    name, what = word[:-1], word[-1]
    match what:
        case "+":
            return EntityLockRequested(
                timestamp=NOW, task_id=1, entities=(ENTITY,), parent=asker(name)
            )
        case "-":
            return EntityUnlockSent(
                timestamp=NOW, task_id=2, section=1, instance_id=ENTITY, parent=asker(name)
            )
        case "!" | "?":
            section = 1 if what == "!" else 0
            return EntityOperationCalled(
                timestamp=NOW,
                task_id=3,
                instance_id=ENTITY,
                operation=word,
                parent=asker(name),
                section=section,
            )
        case _:
            return EntityOperationSignaled(
                timestamp=NOW, task_id=0, instance_id=ENTITY, operation=word
            )


def seen(words: str, lock: EntityLock | None = None) -> str:
    """What is seen to, in order; `~` before what is only taken in, `x` before a refusal."""
    steps = [Step(f"{place} {word}", event_of(word)) for place, word in enumerate(words.split())]
    return " ".join(map(_shown, in_order(steps, lock)))


def _shown(step: Step) -> str:
    mark = "~" if step.event is None else "x" if step.is_refused else ""
    assert step.message_id is not None
    return mark + step.message_id.partition(" ")[2]


def test_without_a_lock_all_is_done_in_order() -> None:
    assert seen("a? s. b? s.") == "a? s. b? s."


def test_after_a_request_only_its_section_is_served() -> None:
    assert seen("a? a+ b? s. a! b+ a? b!") == "a? a+ a! xb!"


def test_the_unlock_lets_all_that_waited_go_first() -> None:
    assert seen("b? s. a- c?", lock_of("a")) == "a- b? s. c?"


def test_the_next_request_has_its_turn_in_order() -> None:
    assert seen("b? b+ c? a- b! b- c+", lock_of("a")) == "a- b? b+ b! b- c? c+"


def test_a_request_that_is_over_before_its_turn_is_only_taken_in() -> None:
    assert seen("b+ c+ b- a-", lock_of("a")) == "~b+ b- a- c+"


def test_an_unlock_of_nothing_changes_nothing() -> None:
    assert seen("b- c?", lock_of("a")) == "b-"
    assert seen("b- c?") == "b- c?"


def test_a_call_of_a_section_without_the_lock_is_refused() -> None:
    assert seen("b! a!", lock_of("a")) == "xb! a!"
    assert seen("b!") == "xb!"


WORDS = st.lists(st.sampled_from([f"{n}{w}" for n in "abc" for w in "+-!?"] + ["s."]), max_size=14)


@settings(  # the first draw takes seconds on a busy machine
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(words=WORDS, split=st.integers(0, 14))
def test_it_does_not_matter_in_how_many_batches_the_inbox_is_seen_to(
    words: list[str], split: int
) -> None:
    """What is seen to of a part, and then of the rest with what has waited, is in the same order.

    But for a request that its own unlock finds: alone it could have been granted before.
    """
    steps = [Step(f"{place} {word}", event_of(word)) for place, word in enumerate(words)]
    first = in_order(steps[:split], None)
    lock = _lock_after(first, None)
    taken = {each.message_id for each in first}
    then = in_order([each for each in steps if each.message_id not in taken], lock)
    assert _lock_after(then, lock) == _lock_after(in_order(steps, None), None)
    everything = {each.message_id for each in (*first, *then)}
    assert everything == {each.message_id for each in in_order(steps, None)}
    for found in (first, then):
        _no_two_hold_it_at_once(found, lock if found is then else None)


def _lock_after(steps: list[Step], lock: EntityLock | None) -> EntityLock | None:
    for step in steps:
        match step.event:
            case EntityLockRequested(parent=ParentInstance() as parent):
                lock = EntityLock(holder=parent, since=NOW)
            case EntityUnlockSent(parent=parent) if lock is not None and lock.holder == parent:
                lock = None
            case _:
                pass
    return lock


def _no_two_hold_it_at_once(steps: list[Step], lock: EntityLock | None) -> None:
    holder = None if lock is None else lock.holder
    for step in steps:
        match step.event:
            case EntityLockRequested(parent=parent):
                assert holder is None
                holder = parent
            case EntityUnlockSent(parent=parent):
                holder = None if holder == parent else holder
            case EntityOperationCalled(section=1, parent=parent):
                assert step.is_refused is (parent != holder)
            case EntityOperationCalled() | EntityOperationSignaled():
                assert holder is None
            case _:
                pass
