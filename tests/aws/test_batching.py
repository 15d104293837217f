"""Entries of many callers become few requests, and each caller hears of its own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from host.errors import StorageError
from host.storage.aws.queues.batching import Batcher, Fields
from host.storage.aws.wire.problems import Kind, Problem
from host.storage.aws.wire.retries import RetryRules

Answer = Mapping[str, Any]


RULES = RetryRules(attempts=6)


class Service:
    """Answers batches by a rule; waits for nothing."""

    def __init__(self, answer: Callable[[Sequence[Fields]], Answer]) -> None:
        self._answer = answer
        self.batches: list[list[str]] = []
        self.pauses: list[tuple[Kind, int]] = []

    async def call(self, entries: Sequence[Fields]) -> Answer:
        self.batches.append([entry["Name"] for entry in entries])
        return self._answer(entries)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def monotonic(self) -> float:
        return 0.0

    async def rest(self, problem: Problem, attempt: int, began: float) -> None:
        if RULES.wait_s(problem.kind, attempt, 0.0, 0.0) is None:
            raise problem.to_error("SendMessageBatch", "https://sqs.invalid/", may_be_own=False)
        self.pauses.append((problem.kind, attempt))


def done(entries: Sequence[Fields]) -> Answer:
    return {"Successful": [{"Id": entry["Id"]} for entry in entries]}


async def add(batcher: Batcher, *names: str) -> list[bool]:
    return list(await asyncio.gather(*(batcher.add(name, {"Name": name}) for name in names)))


async def test_entries_of_many_callers_leave_ten_at_a_time() -> None:
    service = Service(done)
    names = [f"n{number}" for number in range(23)]
    assert await add(Batcher(service), *names) == [True] * 23
    assert service.batches == [names[:10], names[10:20], names[20:]]


async def test_a_request_takes_as_many_bytes_as_sqs_takes_anywhere() -> None:
    """Many long work items at once: ten of them would be refused as one, again and again."""
    service = Service(done)
    batcher = Batcher(service)
    sizes = {"a": 100_000, "b": 100_000, "c": 100_000, "d": 10, "e": 300_000, "f": 10}
    adding = [batcher.add(name, {"Name": name}, size=size) for name, size in sizes.items()]
    assert all(await asyncio.gather(*adding))
    assert service.batches == [["a", "b"], ["c", "d"], ["e"], ["f"]]


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
    assert service.pauses == [(Kind.FAILING, 1)]


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
    with pytest.raises(StorageError, match="not in the answer"):
        await add(Batcher(service), "a")
    assert len(service.batches) == RULES.attempts


@pytest.mark.parametrize(
    ("code", "is_senders_fault", "kind"),
    [
        ("RequestThrottled", True, Kind.THROTTLED),
        ("ThrottlingException", True, Kind.THROTTLED),
        ("KmsThrottled", True, Kind.THROTTLED),
        ("KMS.ThrottlingException", True, Kind.THROTTLED),
        ("InternalError", True, Kind.FAILING),
        ("ServiceUnavailable", True, Kind.FAILING),
        ("NobodyKnows", False, Kind.FAILING),
    ],
)
async def test_found_f2_an_entry_is_judged_by_its_code_not_by_whose_fault_it_is_said_to_be(
    code: str, is_senders_fault: bool, kind: Kind
) -> None:
    def fail_once(entries: Sequence[Fields]) -> Answer:
        if len(service.batches) > 1:
            return done(entries)
        failed = {"Id": entries[0]["Id"], "Code": code, "SenderFault": is_senders_fault}
        return {"Failed": [failed]}

    service = Service(fail_once)
    assert await add(Batcher(service), "a") == [True]
    assert service.pauses == [(kind, 1)]


async def test_one_throttled_entry_makes_all_that_are_left_wait_as_throttled_ones_do() -> None:
    def fail_once(entries: Sequence[Fields]) -> Answer:
        if len(service.batches) > 1:
            return done(entries)
        codes = ("InternalError", "RequestThrottled", "InternalError")
        return {
            "Failed": [
                {"Id": entry["Id"], "Code": code, "SenderFault": True}
                for entry, code in zip(entries, codes, strict=True)
            ]
        }

    service = Service(fail_once)
    assert await add(Batcher(service), "a", "b", "c") == [True] * 3
    assert service.pauses == [(Kind.THROTTLED, 1)]


@pytest.mark.parametrize("code", ["AccessDenied", "AWS.SimpleQueueService.NonExistentQueue"])
async def test_an_entry_that_may_not_be_done_now_is_an_error_and_no_refusal(code: str) -> None:
    """Who is refused holds a hint no longer; who lacks a right for a moment still does."""
    service = Service(lambda entries: {"Failed": [{"Id": "0", "Code": code, "SenderFault": True}]})
    with pytest.raises(StorageError, match=code):
        await add(Batcher(service), "a")
    assert len(service.batches) == 1


@pytest.mark.parametrize(
    "code", ["ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"]
)
async def test_what_is_surely_refused_is_final(code: str) -> None:
    service = Service(lambda entries: {"Failed": [{"Id": "0", "Code": code, "SenderFault": True}]})
    assert await add(Batcher(service), "a") == [False]
    assert len(service.batches) == 1


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


async def test_a_request_that_is_refused_for_one_entry_takes_no_other_along() -> None:
    def refuse_c(entries: Sequence[Fields]) -> Answer:
        if any(entry["Name"] == "c" for entry in entries):
            problem = Problem(kind=Kind.REFUSED, code="InvalidMessageContents", message="c")
            raise problem.to_error("SendMessageBatch", "https://sqs.invalid/", may_be_own=False)
        return done(entries)

    service = Service(refuse_c)
    batcher = Batcher(service)
    adding = [batcher.add(name, {"Name": name}) for name in "abcd"]
    outcomes = await asyncio.gather(*adding, return_exceptions=True)
    assert [outcome is True for outcome in outcomes] == [True, True, False, True]
    assert "InvalidMessageContents" in str(outcomes[2])
    assert service.batches == [["a", "b", "c", "d"], ["a"], ["b"], ["c"], ["d"]]


async def test_one_call_at_a_time_keeps_the_order_though_entries_are_tried_again() -> None:
    refused = iter([{"1"}, {"0"}])

    def fail_some(entries: Sequence[Fields]) -> Answer:
        failed = next(refused, set())
        good = [entry for entry in entries if entry["Id"] not in failed]
        return {
            **done(good),
            "Failed": [{"Id": id_, "Code": "RequestThrottled"} for id_ in sorted(failed)],
        }

    service = Service(fail_some)
    names = [f"n{number:02}" for number in range(25)]
    batcher = Batcher(service, max_calls=1)
    await asyncio.gather(*(batcher.add(name, {"Name": name}) for name in names))
    assert service.batches == [names[:10], ["n01"], ["n01"], names[10:20], names[20:]]


async def test_whoever_asks_hears_what_the_service_says_of_his_entry() -> None:
    def answer(entries: Sequence[Fields]) -> Answer:
        first, *others = entries
        refusal = {"Code": "InvalidParameterValue", "SenderFault": True}
        failed = [{"Id": each["Id"], **refusal} for each in others]
        return {"Successful": [{"Id": first["Id"], "MessageId": "m1"}], "Failed": failed}

    batcher = Batcher(Service(answer))
    done_, refused = await asyncio.gather(*(batcher.ask(name, {"Name": name}) for name in "ab"))
    assert isinstance(done_, dict)
    assert done_["MessageId"] == "m1"
    assert isinstance(refused, Problem)
    assert refused.code == "InvalidParameterValue"
