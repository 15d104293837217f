"""Requests and the traces that they belong to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from host.traces.spans import Kind, Span
from tests.http.hosting import Host, running_host

TRACE = "0af7651916cd43dd8448eb211c80319c"
SENDER = "b7ad6b7169203331"


class Kept:
    """An exporter that keeps spans, by name."""

    def __init__(self) -> None:
        self.spans: dict[str, Span] = {}

    def export(self, span: Span) -> None:
        assert span.name not in self.spans
        self.spans[span.name] = span

    async def close(self) -> None:
        pass


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
async def traced(kept: Kept) -> AsyncIterator[Host]:
    async with running_host(exporter=kept) as host:
        yield host


def sent_by(flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{TRACE}-{SENDER}-{flags}"}


@pytest.mark.parametrize("path", ["/api/start/echo/it", "orchestrators/echo/it"])
async def test_what_a_request_starts_is_in_the_senders_trace(
    traced: Host, kept: Kept, path: str
) -> None:
    await traced.call("POST", path, json=1, headers=sent_by())
    await traced.hub.wait_for_instance_completion("it")
    await traced.engine.idle()
    (request,) = [each for each in kept.spans.values() if each.kind is Kind.SERVER]
    orchestration = kept.spans["orchestration:echo"]
    assert {each.trace_id for each in kept.spans.values()} == {TRACE}
    assert request.parent_id == SENDER
    assert orchestration.parent_id == request.span_id


async def test_a_start_without_a_trace_begins_one(traced: Host, kept: Kept) -> None:
    await traced.ended("echo", 1)
    await traced.engine.idle()
    request, orchestration = kept.spans["POST startInstance"], kept.spans["orchestration:echo"]
    assert request.parent_id == ""
    assert (orchestration.trace_id, orchestration.parent_id) == (request.trace_id, request.span_id)


async def test_looks_begin_no_trace_and_are_in_that_of_who_says_it(
    traced: Host, kept: Kept
) -> None:
    await traced.call("GET", "instances")
    await traced.call("GET", "/nothing/here")
    assert kept.spans == {}
    await traced.call("GET", "instances", headers=sent_by())
    assert [each.parent_id for each in kept.spans.values()] == [SENDER]


@pytest.mark.parametrize("headers", [sent_by("00"), {"traceparent": "garbage"}])
async def test_neither_what_is_not_sampled_nor_nonsense_is_told_of_a_look(
    traced: Host, kept: Kept, headers: dict[str, str]
) -> None:
    assert (await traced.call("GET", "instances", headers=headers)).status == 200
    assert kept.spans == {}
