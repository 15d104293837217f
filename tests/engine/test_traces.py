"""One trace of an execution over hosts and replays, as an OTLP receiver sees it, too."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from bindings import EntityContext, EntityId, FunctionApp, OrchestrationContext, when_all
from host.core.history import TaskScheduled
from host.core.trace import TraceContext, read_traceparent, root_of, span_of, traceparent
from host.engine.callers import ASKED_IN, AskedIn
from host.errors import ConfigurationError
from host.storage.local_queues import LocalQueues
from host.traces.otlp import OtlpExporter
from host.traces.settings import TraceSettings, trace_settings
from host.traces.spans import Kind, Span
from host.traces.tracer import Tracer
from tests.engine.wide_work import SHARES, Wide
from tests.kit.hub import Host, Hub, until

SECOND = timedelta(seconds=1)
HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def asked(header: str) -> AskedIn:
    trace = read_traceparent(header)
    assert trace is not None
    return AskedIn(trace)


class Kept:
    """An exporter that keeps spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def export(self, span: Span) -> None:
        self.spans.append(span)

    async def close(self) -> None:
        pass

    def by_name(self) -> dict[str, Span]:
        return {each.name: each for each in self.spans}


async def traced(hub: Hub, app: FunctionApp, kept: Kept, **options: Any) -> Host:
    tracer = Tracer(kept, hub.store, hub.clock)
    return await hub.start(app, observers=[tracer.observer], traces=True, **options)


def shop() -> FunctionApp:
    app = FunctionApp()

    @app.activity_trigger()
    async def pick(item: str) -> str:
        if item == "nothing":
            raise LookupError("there is none")
        return item

    @app.orchestration_trigger()
    async def child(context: OrchestrationContext, item: str) -> Any:
        return await context.call_activity("pick", item)

    @app.orchestration_trigger()
    async def order(context: OrchestrationContext, item: str) -> Any:
        await context.create_timer(SECOND)
        await context.call_entity(EntityId("counter", "c"), "add")
        await context.wait_for_external_event("go")
        return await context.call_sub_orchestrator("child", item)

    @app.orchestration_trigger()
    async def twice(context: OrchestrationContext, left: int) -> None:
        await context.call_activity("pick", "a boat")
        if left:
            context.continue_as_new(left - 1)

    @app.entity_trigger()
    def counter(context: EntityContext) -> None:
        context.set_state(1)

    return app


async def test_all_that_an_orchestration_waits_for_is_in_its_trace_over_hosts_and_replays(
    hub: Hub,
) -> None:
    kept, app = Kept(), shop()
    first = await traced(hub, app, kept)
    token = ASKED_IN.set(asked(HEADER))
    instance_id = await first.begin("order", "a boat")
    ASKED_IN.reset(token)
    await first.started(instance_id)
    await hub.clock.advance(SECOND, steps=2)
    await until(lambda: "entity:counter:add" in kept.by_name())
    await first.rest()
    await first.crash()
    second = await traced(hub, app, kept)
    await second.client.raise_event(instance_id, "go")
    await second.finished(instance_id)
    await second.rest()
    spans = kept.by_name()
    assert set(spans) == {
        "orchestration:order",
        "timer",
        "entity:counter:add",
        "orchestration:child",
        "activity:pick",
    }
    assert len(kept.spans) == len(spans)
    assert {each.trace_id for each in kept.spans} == {HEADER[3:35]}
    root = spans["orchestration:order"]
    assert root.parent_id == HEADER[36:52]
    for name in ("timer", "entity:counter:add", "orchestration:child"):
        assert spans[name].parent_id == root.span_id
    assert spans["activity:pick"].parent_id == spans["orchestration:child"].span_id
    assert spans["timer"].ended_at - spans["timer"].began_at >= SECOND
    assert spans["entity:counter:add"].kind is Kind.CLIENT
    assert all(each.error is None for each in kept.spans)


async def test_what_fails_says_so(hub: Hub) -> None:
    kept = Kept()
    host = await traced(hub, shop(), kept)
    await host.run("child", "nothing")
    await host.rest()
    errors = {name: span.error for name, span in kept.by_name().items()}
    assert "there is none" in (errors["activity:pick"] or "")
    assert "there is none" in (errors["orchestration:child"] or "")


async def test_continue_as_new_begins_a_trace_that_is_linked_to_the_last(hub: Hub) -> None:
    kept = Kept()
    host = await traced(hub, shop(), kept)
    await host.run("twice", 2)
    await host.rest()
    turns = [each for each in kept.spans if each.name == "orchestration:twice"]
    assert len({each.trace_id for each in turns}) == 3
    assert [each.parent_id for each in turns] == ["", "", ""]
    assert turns[0].link is None
    for before, after in pairwise(turns):
        assert after.link == (before.trace_id, before.span_id)
    picks = [each for each in kept.spans if each.name == "activity:pick"]
    assert [(each.trace_id, each.parent_id) for each in picks] == [
        (each.trace_id, each.span_id) for each in turns
    ]


async def test_a_trace_that_is_not_sampled_sends_nothing(hub: Hub) -> None:
    kept = Kept()
    host = await traced(hub, shop(), kept)
    ASKED_IN.set(asked(HEADER[:-1] + "0"))
    await host.run("child", "a boat")
    await host.rest()
    assert kept.spans == []


async def test_without_traces_nothing_is_kept_of_any(hub: Hub) -> None:
    host = await hub.start(shop())
    ASKED_IN.set(asked(HEADER))
    state = await host.run("child", "a boat")
    row = await hub.store.get(state.instance_id)
    assert row is not None
    assert row.trace is None


async def test_a_request_that_an_orchestrator_sends_says_in_which_trace(hub: Hub) -> None:
    app = FunctionApp()

    @app.orchestration_trigger()
    async def asks(context: OrchestrationContext) -> None:
        own = {"traceparent": "of my own"}
        first = context.call_http("GET", "https://example.org/1")
        await when_all([first, context.call_http("GET", "https://example.org/2", headers=own)])

    host = await traced(hub, app, Kept())
    ASKED_IN.set(asked(HEADER))
    instance_id = await host.begin("asks")
    await host.started(instance_id)
    sent = [each for each in await events(host, instance_id) if isinstance(each, TaskScheduled)]
    row = await hub.store.get(instance_id)
    assert row is not None
    headers = [json.loads(each.input or "")["headers"]["traceparent"] for each in sent]
    span_id = span_of(row.execution_id, sent[0].task_id)
    assert headers == [f"00-{HEADER[3:35]}-{span_id}-01", "of my own"]


async def events(host: Host, instance_id: str) -> list[Any]:
    return list(await host.engine.instances.history(instance_id))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        HEADER.upper(),
        HEADER[:-1],
    ],
)
def test_a_header_that_is_none_is_passed_over(header: str) -> None:
    assert read_traceparent(header) is None


def test_what_an_import_says_that_is_no_id_reaches_no_header() -> None:
    wrong = TraceContext(trace_id="0af7651916cd43dd8448eb211c80319c\r\nx: y")
    assert not wrong.is_sound
    assert traceparent(root_of("e"), span_of("e", 1)).count("-") == 3


# ---- a receiver ----------------------------------------------------------------------------------


class Receiver:
    """Takes what is sent by OTLP over HTTP, unless it is out of order."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[Any] = []
        self.headers: list[Any] = []
        self.answers: list[int] = []
        self.settings = TraceSettings(url="")

    async def take(self, request: web.Request) -> web.Response:
        if self.answers:
            return web.Response(status=self.answers.pop(0))
        self.headers.append(request.headers)
        for each in (await request.json())["resourceSpans"]:
            self.resources.append(each["resource"])
            for scope in each["scopeSpans"]:
                self.spans.extend(scope["spans"])
        return web.json_response({})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/traces", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{runner.addresses[0][1]}/",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
    }
    settings = trace_settings(environ)
    assert settings is not None
    found.settings = settings
    yield found
    await runner.cleanup()


async def test_one_trace_of_a_fan_out_over_two_hosts_has_one_root_and_the_right_parents(
    hub: Hub, receiver: Receiver
) -> None:
    wide, queues = Wide(), LocalQueues()
    tracers = [
        Tracer(OtlpExporter(receiver.settings, hub.clock), hub.store, hub.clock) for _ in range(2)
    ]
    hosts = [
        await hub.start(wide.app, queues=queues, observers=[tracer.observer], traces=True, **SHARES)
        for tracer in tracers
    ]
    instance_id = await hosts[0].begin(wide.fans_out, 4)
    await until(lambda: len(wide.runs) == 4)
    assert [len(host.engine.parts.pool) for host in hosts] == [2, 2]
    wide.gate.set()
    await hosts[0].finished(instance_id)
    for host in hosts:
        await host.rest()
    for tracer in tracers:
        await tracer.close()
    spans = {each["spanId"]: each for each in receiver.spans}
    assert len(spans) == len(receiver.spans) == 5
    assert len({each["traceId"] for each in receiver.spans}) == 1
    (root,) = [each for each in receiver.spans if not each["parentSpanId"]]
    assert root["name"] == "orchestration:fans_out"
    others = [each for each in receiver.spans if each is not root]
    assert [each["name"] for each in others] == ["activity:works"] * 4
    assert {each["parentSpanId"] for each in others} == {root["spanId"]}
    for each in receiver.spans:
        assert int(each["endTimeUnixNano"]) >= int(each["startTimeUnixNano"]) > 0
    assert len(receiver.resources) == 2  # one of each host
    assert {each["x-key"] for each in receiver.headers} == {"a b"}
    said = {
        each["key"]: each["value"]["stringValue"] for each in receiver.resources[0]["attributes"]
    }
    assert said == {"deployment.environment": "test", "service.name": "funchost"}


async def test_what_a_receiver_does_not_take_for_now_is_sent_again(
    hub: Hub, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = OtlpExporter(receiver.settings, hub.clock)
    host = await hub.start(
        shop(), observers=[Tracer(exporter, hub.store, hub.clock).observer], traces=True
    )
    receiver.answers = [503, 429]
    await host.run("child", "a boat")
    await host.rest()

    async def are_there() -> bool:
        await hub.clock.advance(SECOND)
        return len(receiver.spans) == 2

    await until(are_there)
    await exporter.close()
    assert len(receiver.spans) == 2
    assert caplog.text.count("Traces cannot be sent") == 1
    assert caplog.text.count("Traces are sent again") == 1


async def test_a_receiver_that_is_not_there_harms_nobody(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = OtlpExporter(TraceSettings(url="http://127.0.0.1:1/v1/traces"), hub.clock)
    host = await hub.start(
        shop(), observers=[Tracer(exporter, hub.store, hub.clock).observer], traces=True
    )
    assert (await host.run("child", "a boat")).output == "a boat"
    await host.rest()
    await exporter.close()
    assert "2 spans were not sent." in caplog.text


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "True"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_traces_are_off_unless_the_environment_says_where_to_send_them(
    environ: dict[str, str],
) -> None:
    assert trace_settings(environ) is None


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "is no URL"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "4318"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "milliseconds"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "s3cret"}, "name=value"),
    ],
)
def test_what_the_environment_says_wrongly_is_refused_and_no_header_is_shown(
    environ: dict[str, str], said: str
) -> None:
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", **environ}
    with pytest.raises(ConfigurationError, match=said) as caught:
        trace_settings(given)
    assert "s3cret" not in str(caught.value)
