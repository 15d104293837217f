"""What `funchost hub probe` asks, and how it says what it found out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import reduce
from importlib import import_module

import pytest

from host.storage.aws.probe.asking import QUESTIONS
from host.storage.aws.probe.records import Answer, Question, Seen, Verdict
from host.storage.aws.probe.report import as_data, table
from host.storage.aws.probe.watched import WatchedTransport
from host.storage.aws.wire.transport import Request, Response
from tests.kit.manual_clock import ManualClock

REQUEST = Request("POST", "http://aws", {"x-amz-target": "AmazonSQS.SendMessageBatch"}, b"{}")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_the_code_that_relies_on_an_expectation_is_there(question: Question) -> None:
    assert question.relied_on_by
    for reference in question.relied_on_by:
        module, _, name = reference.partition(":")
        found: object = reduce(getattr, name.split("."), import_module(module))
        assert found is not None, reference


def test_each_question_has_a_name_of_its_own() -> None:
    names = [question.name for question in QUESTIONS]
    assert len(set(names)) == len(names)


def answered(name: str, verdict: Verdict, text: str) -> Answer:
    question = next(each for each in QUESTIONS if each.name == name)
    return Answer(question=question, seen=Seen(verdict=verdict, text=text))


ANSWERS = [
    answered("fair-queue", Verdict.AS_EXPECTED, "taken"),
    answered("endpoints", Verdict.OTHERWISE, "http://a against http://b"),
    answered("clock-skew", Verdict.UNKNOWN, "the answers have no Date"),
]


def test_the_table_marks_what_is_not_as_expected() -> None:
    lines = list(table(ANSWERS, 120))
    assert lines[0].split() == ["question", "expected", "seen", "what", "it", "means", "here"]
    assert [line for line in lines if line.startswith(("fair", "! ", "? "))] == [
        "fair-queue        taken                             taken"
        "                             nothing to do",
        "! endpoints       the same                          http://a against http://b"
        "         hosts look for the hub where the",
        "? clock-skew      less than a second                the answers have no Date"
        "          ask again, or by hand",
    ]
    assert max(map(len, lines)) <= 120


def test_the_data_say_which_code_relies_on_it() -> None:
    data = as_data(ANSWERS, "Probe1", "eu-west-1")
    assert (data["hub"], data["region"]) == ("Probe1", "eu-west-1")
    endpoints = data["answers"][1]
    assert endpoints["verdict"] == "otherwise"
    assert endpoints["reliedOnBy"] == ["host.storage.aws.wire.endpoints:resolve"]


@pytest.mark.parametrize(
    ("ahead_s", "told"),
    [(0.0, 0), (0.4, 0), (-0.4, 0), (30.0, 30), (-30.0, -30), (400.0, 400)],
)
async def test_a_clock_that_is_off_is_seen_in_the_dates_of_answers(
    ahead_s: float, told: int
) -> None:
    clock = ManualClock()

    async def dated(_: Request) -> Response:
        date = clock.now() - timedelta(seconds=ahead_s)
        return Response(200, {"date": format_datetime(date.astimezone(UTC), usegmt=True)}, b"{}")

    way = WatchedTransport(dated, clock)
    for _ in range(20):
        await way(REQUEST)
        await clock.advance(timedelta(seconds=0.1))
    assert way.clock_ahead_s == pytest.approx(told, abs=0.5)


async def test_dates_that_are_none_are_no_news() -> None:
    answers = iter([Response(200, {}, b"{}"), Response(200, {"date": "soon"}, b"{}")])

    async def undated(_: Request) -> Response:
        return next(answers)

    way = WatchedTransport(undated, ManualClock(datetime(2026, 1, 1, tzinfo=UTC)))
    await way(REQUEST)
    await way(REQUEST)
    assert way.clock_ahead_s is None


async def test_refusals_are_counted_by_operation_and_code() -> None:
    bodies = iter([b'{"__type": "com.amazonaws.sqs#RequestThrottled"}', b"<html>", b"{}"])
    statuses = iter([403, 503, 200])

    async def refusing(_: Request) -> Response:
        return Response(next(statuses), {}, next(bodies))

    way = WatchedTransport(refusing, ManualClock())
    for _ in range(3):
        await way(REQUEST)
    assert way.refused == {
        "SendMessageBatch RequestThrottled": 1,
        "SendMessageBatch status 503": 1,
    }
