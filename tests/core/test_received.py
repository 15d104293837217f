"""What an entity knows of the messages that it has taken in: much, in few bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.core.entities.entity_ledger import EntityLedger
from host.core.entities.received import MAX_RUNS, MAX_RUNS_OF_ALL, MAX_SENDERS, Received, Run
from host.core.history import Batch, EntityCheckpoint, OrchestratorStarted

NOW = datetime(2026, 1, 1, tzinfo=UTC)
X, Y = "a" * 32, "b" * 32


def tasks(sender: str, numbers: Iterable[int]) -> list[str]:
    return [f"{sender}.{number}" for number in numbers]


def taken_in(*ids: Sequence[str]) -> Received:
    received = Received()
    for each in ids:
        received.add(each)
    return received


def after_loading(received: Received) -> Received:
    return Received(received.written())


@pytest.mark.parametrize("numbers", [range(1, 5001), range(3, 9001, 2), range(10, 0, -3)])
def test_all_of_one_sender_are_known_however_many(numbers: range) -> None:
    received = after_loading(taken_in(tasks(X, numbers)))
    assert all(map(received.has, tasks(X, numbers)))
    others = set(range(9100)) - set(numbers)
    assert not any(map(received.has, tasks(X, others)))
    assert not any(map(received.has, tasks(Y, numbers)))


def test_what_is_in_a_row_is_few_bytes() -> None:
    assert taken_in(tasks(X, range(1, 2000))).written() == (f"{X}.1-1999",)
    assert taken_in(tasks(X, [7])).written() == (f"{X}.7",)
    assert taken_in(tasks(X, [1, 3, 5, 6])).written() == (f"{X}.1-5/2+6",)
    assert len("".join(taken_in(tasks(X, range(0, 90_000, 7))).written())) < 100


def test_ids_that_an_older_version_kept_are_read() -> None:
    old = (*tasks(X, [1, 2, 3]), *tasks(Y, [4]), *tasks(X, [5]), f"{X}.9.suspend.1", "c" * 32)
    received = Received(old)
    assert all(map(received.has, old))
    assert not any(map(received.has, [f"{X}.4", f"{X}.9", f"{Y}.5", "d" * 32]))
    assert set(received.written()) == {f"{X}.1-3+5", f"{Y}.4", f"{X}.9.suspend.1", "c" * 32}


def test_of_many_senders_the_last_are_known() -> None:
    received = Received()
    for number in range(3 * MAX_SENDERS):
        received.add([f"{number:032x}.1"])
        received.add([f"{X}.{number + 1}"])
    known = [n for n in range(3 * MAX_SENDERS) if after_loading(received).has(f"{n:032x}.1")]
    assert known == list(range(2 * MAX_SENDERS + 1, 3 * MAX_SENDERS))
    assert received.has(f"{X}.1")
    assert len(received.written()) == MAX_SENDERS


def test_of_one_sender_the_last_runs_are_known() -> None:
    numbers = [n * n for n in range(3 * MAX_RUNS)]
    received = after_loading(taken_in(tasks(X, numbers)))
    assert all(map(received.has, tasks(X, numbers[-MAX_RUNS:])))
    assert not received.has(f"{X}.0")


def test_what_is_stored_is_bounded() -> None:
    received = Received()
    for number in range(20_000):
        received.add([f"{number % 200:032x}.{number * number}", f"{number:030x}"])
    assert sum(text.count("+") + 1 for text in received.written()) < MAX_RUNS_OF_ALL + 200
    assert len("".join(received.written())) < 12_000


def test_messages_of_clients_are_known_for_a_while() -> None:
    received = taken_in([f"{number:032x}" for number in range(100)])
    assert after_loading(received).has(f"{99:032x}")
    assert not received.has(f"{1:032x}")


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", "a.1-", "a.5-1", "a.1-5/0", "a.1+", "a.--", "a.1/2", "a.9999999999999999999-1"],
)
def test_what_means_nothing_is_harmless(text: str) -> None:
    received = Received([text, f"{X}.1-3"])
    assert received.has(f"{X}.2")
    assert not received.has("a.1")
    assert after_loading(received).written() == received.written()


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 60)), max_size=8), max_size=12
    )
)
def test_it_knows_just_what_it_was_told(batches: list[list[tuple[str, int]]]) -> None:
    received, told = Received(), set[tuple[str, int]]()
    for batch in batches:
        received.add(f"{sender}.{task_id}" for sender, task_id in batch)
        told |= set(batch)
        known = {(s, t) for s in "xyz" for t in range(62) if received.has(f"{s}.{t}")}
        assert known == told
        assert received.copy().written() == received.written()
        received = after_loading(received)


def test_a_run_goes_on_only_at_its_end() -> None:
    assert Run(1, 1).with_next(4) == Run(1, 4, 3)
    assert Run(1, 4, 3).with_next(7) == Run(1, 7, 3)
    for wrong in (1, 4, 5, 8):
        assert Run(1, 4, 3).with_next(wrong) is None


def test_a_ledger_knows_after_a_thousand_batches_what_it_would_know_if_it_were_loaded() -> None:
    ledger = EntityLedger("e")
    for number in range(1000):
        consumed = tuple(tasks(X, range(number * 3, number * 3 + 3)))
        checkpoint = EntityCheckpoint(
            timestamp=NOW, number=number, recent=ledger.recent_with(consumed)
        )
        last = Batch(events=(OrchestratorStarted(timestamp=NOW), checkpoint), consumed=consumed)
        ledger.add_batch(last)
    loaded = EntityLedger("e")
    loaded.add_batch(last)
    assert loaded.next_number == ledger.next_number == 1000
    assert loaded.recent_with(()) == ledger.recent_with(()) == (f"{X}.0-2999",)
    assert set(loaded.consumed) == set(ledger.consumed) == set(last.consumed)
