"""Entries of many callers become few requests, and each caller hears of its own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from host.errors import StorageError, StorageUnavailableError
from host.storage.aws.queues.batching import MAX_ATTEMPTS, Batcher, Fields

Answer = Mapping[str, Any]


class Service:
    """Answers batches by a rule; waits for nothing."""

    def __init__(self, answer: Callable[[Sequence[Fields]], Answer]) -> None:
        self._answer = answer
        self.batches: list[list[str]] = []
        self.pauses: list[int] = []

    async def call(self, entries: Sequence[Fields]) -> Answer:
        self.batches.append([entry["Name"] for entry in entries])
        return self._answer(entries)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(0)

    async def back_off(self, attempt: int) -> None:
        self.pauses.append(attempt)


def done(entries: Sequence[Fields]) -> Answer:
    return {"Successful": [{"Id": entry["Id"]} for entry in entries]}


async def add(batcher: Batcher, *names: str) -> list[bool]:
    return list(await asyncio.gather(*(batcher.add(name, {"Name": name}) for name in names)))


async def test_entries_of_many_callers_leave_ten_at_a_time() -> None:
    service = Service(done)
    names = [f"n{number}" for number in range(23)]
    assert await add(Batcher(service), *names) == [True] * 23
    assert service.batches == [names[:10], names[10:20], names[20:]]


async def test_entries_with_the_same_key_leave_once_with_the_latest_fields() -> None:
    service = Service(done)
    batcher = Batcher(service)
    first = batcher.add("key", {"Name": "extend"})
    second = batcher.add("key", {"Name": "release"})
    assert list(await asyncio.gather(first, second)) == [True, True]
    assert service.batches == [["release"]]


async def test_only_what_the_service_failed_to_do_is_tried_again() -> None:
    def fail_b_once(entries: Sequence[Fields]) -> Answer:
        failed = [e for e in entries if e["Name"] == "b" and len(service.batches) == 1]
        return {
            "Successful": [{"Id": e["Id"]} for e in entries if e not in failed],
            "Failed": [{"Id": e["Id"], "Code": "Down", "SenderFault": False} for e in failed],
        }

    service = Service(fail_b_once)
    assert await add(Batcher(service), "a", "b", "c") == [True, True, True]
    assert service.batches == [["a", "b", "c"], ["b"]]
    assert service.pauses == [1]


async def test_an_entry_that_is_missing_in_the_answer_is_tried_again() -> None:
    service = Service(lambda entries: done(entries[:1]))
    assert await add(Batcher(service), "a", "b") == [True, True]
    assert service.batches == [["a", "b"], ["b"]]


async def test_what_the_service_refused_is_not_tried_again() -> None:
    def refuse(entries: Sequence[Fields]) -> Answer:
        return {"Failed": [{"Id": e["Id"], "Code": "Stale", "SenderFault": True} for e in entries]}

    service = Service(refuse)
    assert await add(Batcher(service), "a") == [False]
    assert service.batches == [["a"]]


async def test_after_some_attempts_the_caller_hears_of_the_failure() -> None:
    service = Service(lambda entries: {})
    with pytest.raises(StorageUnavailableError, match="1 entries"):
        await add(Batcher(service), "a")
    assert len(service.batches) == MAX_ATTEMPTS


async def test_the_error_of_a_call_reaches_every_caller() -> None:
    def fail(entries: Sequence[Fields]) -> Answer:
        raise StorageError("down")

    batcher = Batcher(Service(fail))
    results = await asyncio.gather(
        batcher.add("a", {"Name": "a"}), batcher.add("b", {"Name": "b"}), return_exceptions=True
    )
    assert [str(result) for result in results] == ["down", "down"]


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    service = Service(done)
    batcher = Batcher(service)
    callers = [asyncio.ensure_future(batcher.add("key", {"Name": "a"})) for _ in range(2)]
    await asyncio.sleep(0)
    callers[0].cancel()
    assert await callers[1] is True
    await batcher.drain()
    assert service.batches == [["a"]]
