"""The clients of a hub behave alike: inside a host, over HTTP, and there without an event loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bindings import (
    AccessDeniedError,
    DurableClient,
    FunctionNotFoundError,
    HostUnavailableError,
    HttpRequest,
    InboxFullError,
    InstanceAlreadyExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidArgumentError,
    NewOrchestration,
    OrchestrationQuery,
    OrchestrationState,
    PayloadTooLargeError,
    RemoteClient,
    RemoteError,
    ReusePolicy,
    RuntimeStatus,
    SerializationError,
    SyncRemoteClient,
    WaitKind,
)
from host.http.keys import KeyKind
from tests.http.hosting import MAX_PAYLOAD, Host, running_host
from tests.kit.closed_ports import closed_port

LONG = timedelta(seconds=10)
NONE = timedelta(0)


class InThread:
    """A `SyncRemoteClient` whose methods are awaited, so that the same tests run over it."""

    def __init__(self, client: SyncRemoteClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        async def called(*arguments: Any, **named: Any) -> Any:
            return await asyncio.to_thread(method, *arguments, **named)

        return method if name.startswith("create_http") else called

    async def get_all_instances(self, query: OrchestrationQuery) -> AsyncIterator[Any]:
        for each in await asyncio.to_thread(lambda: list(self._client.get_all_instances(query))):
            yield each

    async def schedule_many(self, *arguments: Any, **named: Any) -> AsyncIterator[Any]:
        started = self._client.schedule_many(*arguments, **named)
        for each in await asyncio.to_thread(lambda: list(started)):
            yield each


@asynccontextmanager
async def _inside(host: Host) -> AsyncIterator[Any]:
    yield host.hub


@asynccontextmanager
async def _remote(host: Host) -> AsyncIterator[Any]:
    async with RemoteClient(host.origin) as client:
        yield client


@asynccontextmanager
async def _sync(host: Host) -> AsyncIterator[Any]:
    client = SyncRemoteClient(host.origin)
    yield InThread(client)
    await asyncio.to_thread(client.close)


@pytest.fixture(params=[_inside, _remote, _sync], ids=["inside", "remote", "sync"])
async def client(request: pytest.FixtureRequest, host: Host) -> AsyncIterator[DurableClient]:
    async with request.param(host) as client:
        yield client


async def waiting(client: DurableClient, instance_id: str | None = None, **more: Any) -> str:
    """An instance that waits for the event `go`."""
    started = await client.schedule_new_orchestration("waiting", instance_id=instance_id, **more)
    await client.wait_for_instance_start(started, timeout=LONG)
    return started


async def shown(client: DurableClient, instance_id: str) -> OrchestrationState:
    state = await client.get_instance(instance_id)
    assert state is not None
    return state


async def ended(
    client: DurableClient, name: str = "echo", value: Any = None, **more: Any
) -> OrchestrationState:
    started = await client.schedule_new_orchestration(name, input=value, **more)
    return await client.wait_for_instance_completion(started, timeout=LONG)


@pytest.mark.parametrize(
    "value",
    [None, "text", "größe", 5, [1, {"a": None}], {"a": {"b": [True]}}, "null", "", 0, False],
)
async def test_a_value_comes_back_as_it_was(client: DurableClient, value: Any) -> None:
    state = await ended(client, "echo", value, instance_id="a b/ü%".replace("/", "~"))
    assert (state.input, state.output) == (value, value)
    assert state.runtime_status is RuntimeStatus.COMPLETED
    assert state.instance_id == "a b~ü%"
    assert state.failure_details is None
    assert state.created_at.tzinfo == UTC
    state.raise_if_failed()


async def test_what_an_instance_is_started_with(client: DurableClient) -> None:
    tags = {"town": "Rome:1", "größe": "ö"}
    state = await ended(client, "ECHO", 1, tags=tags, version="2", instance_id="one")
    assert (state.name, state.tags, state.version) == ("echo", tags, "2")
    bare = await client.get_instance("one", fetch_payloads=False)
    assert bare is not None
    assert (bare.input, bare.output) == (None, None)


async def test_a_start_in_the_future(client: DurableClient) -> None:
    in_a_day = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    started = await client.schedule_new_orchestration("echo", start_at=in_a_day)
    state = await client.get_instance(started)
    assert state is not None
    assert (state.runtime_status, state.scheduled_start_at) == (RuntimeStatus.PENDING, in_a_day)
    assert await ended(client, start_at=timedelta(microseconds=1))


async def test_ids_that_are_taken(client: DurableClient) -> None:
    await waiting(client, "one")
    with pytest.raises(InstanceAlreadyExistsError) as refused:
        await client.schedule_new_orchestration("echo", instance_id="one")
    assert (refused.value.instance_id, refused.value.status) == ("one", "Running")
    assert str(refused.value).startswith("An orchestration instance 'one' with the status Running")
    keep, never, replaced = ReusePolicy.KEEP, ReusePolicy.NEVER, ReusePolicy.REPLACE
    assert await client.schedule_new_orchestration("echo", instance_id="one", reuse=keep) == "one"
    with pytest.raises(InstanceAlreadyExistsError):
        await client.schedule_new_orchestration("echo", instance_id="one", reuse=never)
    assert (await ended(client, "echo", 2, instance_id="one", reuse=replaced)).output == 2


async def test_a_start_with_a_key_is_one_start(client: DurableClient) -> None:
    first = await client.schedule_new_orchestration("echo", input=1, idempotency_key="k 1")
    again = await client.schedule_new_orchestration("echo", input=2, idempotency_key="k 1")
    assert first == again
    assert (await client.wait_for_instance_completion(first, timeout=LONG)).output == 1


async def test_debounced_starts_are_one_with_the_last_input(client: DurableClient) -> None:
    wait = timedelta(hours=1)
    for number in range(3):
        started = await client.schedule_new_orchestration(
            "echo", input=number, instance_id="one", debounce=wait
        )
        assert started == "one"
    items = [NewOrchestration(instance_id="one", input=3), NewOrchestration(input=4)]
    outcomes = [each async for each in client.schedule_many("echo", items, debounce=wait)]
    assert outcomes[0].instance_id == "one"
    assert isinstance(outcomes[1].error, InvalidArgumentError)
    state = await client.get_instance("one")
    assert state is not None
    assert (state.runtime_status, state.input) == (RuntimeStatus.PENDING, 3)
    kept = await client.schedule_new_orchestration(
        "echo", instance_id="one", reuse=ReusePolicy.KEEP_ACTIVE
    )
    assert kept == "one"


@pytest.mark.parametrize(
    ("name", "more", "error"),
    [
        ("nothing", {}, FunctionNotFoundError),
        ("shout", {}, FunctionNotFoundError),
        ("echo", {"instance_id": "@bad"}, InvalidArgumentError),
        ("echo", {"instance_id": "a/b"}, InvalidArgumentError),
        ("echo", {"instance_id": ""}, InvalidArgumentError),
        ("echo", {"instance_id": 5}, InvalidArgumentError),
        ("echo", {"reuse": "sometimes"}, InvalidArgumentError),
        ("echo", {"start_at": "tomorrow"}, InvalidArgumentError),
        ("echo", {"start_at": timedelta(days=100_000)}, InvalidArgumentError),
        ("echo", {"idempotency_key": ""}, InvalidArgumentError),
        ("echo", {"debounce": "5s", "instance_id": "i"}, InvalidArgumentError),
        ("echo", {"debounce": timedelta(0), "instance_id": "i"}, InvalidArgumentError),
        ("echo", {"debounce": timedelta.max, "instance_id": "i"}, InvalidArgumentError),
        ("echo", {"debounce": timedelta(1)}, InvalidArgumentError),
        ("echo", {"input": object()}, SerializationError),
        ("echo", {"input": float("nan")}, SerializationError),
        ("echo", {"input": "x" * MAX_PAYLOAD}, PayloadTooLargeError),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str | type) else next(iter(value), ""),
)
async def test_starts_that_are_refused(
    client: DurableClient, name: str, more: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as refused:
        await client.schedule_new_orchestration(name, **more)
    assert type(refused.value) is error
    assert str(refused.value)


async def test_what_failed_is_rewound(client: DurableClient) -> None:
    started = (await ended(client, "failing")).instance_id
    await client.rewind_instance(started, "mended")
    await client.wait_for_instance_completion(started)
    events = await client.get_instance_history(started)
    (rewound,) = [each for each in events if each["EventType"] == "ExecutionRewound"]
    assert rewound["Reason"] == "mended"


async def test_failures_say_what_failed(client: DurableClient) -> None:
    state = await ended(client, "failing")
    assert state.runtime_status is RuntimeStatus.FAILED
    assert state.failure_details is not None
    assert state.failure_details.is_caused_by(ValueError)
    assert state.failure_details.message == "no luck"
    assert state.failure_details.is_caused_by(Exception)
    assert "no luck" in state.failure_details.stack_trace
    assert state.failure_details == (await shown(client, state.instance_id)).failure_details
    with pytest.raises(Exception, match="no luck"):
        state.raise_if_failed()


async def test_the_history_is_the_stored_one(client: DurableClient, host: Host) -> None:
    state = await ended(client, "shouting", "hey")
    history = await client.get_instance_history(state.instance_id)
    assert history == await host.hub.get_instance_history(state.instance_id)
    kinds = [each["EventType"] for each in history]
    assert kinds[0] == "OrchestratorStarted"
    assert {"TaskScheduled", "TaskCompleted", "ExecutionCompleted"} < set(kinds)
    with pytest.raises(InstanceNotFoundError):
        await client.get_instance_history("nobody")


async def test_waits_end_when_they_should(client: DurableClient) -> None:
    started = await waiting(client)
    for timeout in (NONE, timedelta(milliseconds=20)):
        with pytest.raises(TimeoutError):
            await client.wait_for_instance_completion(started, timeout=timeout)
    wait = asyncio.ensure_future(client.wait_for_instance_completion(started))
    await client.raise_event(started, "go", {"now": True})
    assert (await wait).output == {"now": True}
    with pytest.raises(InstanceNotFoundError):
        await client.wait_for_instance_completion("nobody", timeout=LONG)
    with pytest.raises(InvalidArgumentError):
        await client.wait_for_instance_start(started, timeout=5)  # type: ignore[arg-type]


async def test_orders_to_one_that_runs(client: DurableClient) -> None:
    started = await waiting(client)
    await client.suspend_instance(started, "a break")
    await client.suspend_instance(started)
    await client.raise_event(started, "go", 1)
    await client.resume_instance(started, None)
    state = await client.wait_for_instance_completion(started, timeout=LONG)
    assert state.output == 1


@pytest.mark.parametrize("status", [None, "by hand", {"step": 2}, 0])
async def test_a_custom_status_that_is_set_is_shown(client: DurableClient, status: Any) -> None:
    started = await waiting(client)
    await client.set_custom_status(started, status)
    await client.raise_event(started, "go")
    state = await client.wait_for_instance_completion(started, timeout=LONG)
    assert state.custom_status == status


async def test_what_an_instance_waits_for(client: DurableClient) -> None:
    (waits,) = await client.why(await waiting(client))
    assert (waits.kind, waits.name) == (WaitKind.EVENT, "go")
    planned = await client.schedule_new_orchestration("waiting", start_at=timedelta(days=1))
    (waits,) = await client.why(planned)
    assert waits.kind is WaitKind.SCHEDULED_START
    assert waits.since is not None
    assert waits.until == waits.since + timedelta(days=1)
    (waits,) = await client.why((await ended(client)).instance_id)
    assert (waits.kind, waits.in_words()) == (WaitKind.NOTHING, "It is finished: Completed.")
    with pytest.raises(InstanceNotFoundError):
        await client.why("nobody")


async def test_many_are_started_and_each_has_its_outcome(client: DurableClient) -> None:
    await waiting(client, "taken")
    items: list[Any] = [
        NewOrchestration(instance_id="a", input=[1], tags={"own": "1"}),
        NewOrchestration(input=float("nan")),
        NewOrchestration(instance_id="taken"),
        "no item",
        NewOrchestration(instance_id="b"),
        NewOrchestration(input=object()),
    ]
    outcomes = [each async for each in client.schedule_many("waiting", items, tags={"all": "2"})]
    assert [each.instance_id for each in outcomes] == ["a", None, None, None, "b", None]
    errors = [each.error for each in outcomes if each.error is not None]
    assert [type(each) for each in errors] == [
        SerializationError,
        InstanceAlreadyExistsError,
        InvalidArgumentError,
        SerializationError,
    ]
    state = await client.get_instance("a")
    assert state is not None
    assert (state.input, state.tags) == ([1], {"all": "2", "own": "1"})


async def test_many_with_a_key_are_started_once(client: DurableClient) -> None:
    async def items() -> AsyncIterator[NewOrchestration]:
        for number in range(3):
            yield NewOrchestration(input=number)

    async def start() -> list[str | None]:
        started = client.schedule_many("echo", items(), idempotency_key="mine")
        return [each.instance_id async for each in started]

    first = await start()
    assert len({*first}) == 3
    assert await start() == first
    assert sum((await client.count_instances()).values()) == 3


async def test_what_is_wrong_with_all_of_many_is_raised(client: DurableClient) -> None:
    with pytest.raises(FunctionNotFoundError):
        async for _ in client.schedule_many("nobody", [NewOrchestration()]):
            pass
    assert [each async for each in client.schedule_many("echo", [])] == []


@pytest.mark.parametrize("reason", [None, "enough", {"code": 5}, []])
async def test_the_reason_of_an_end_is_the_output(client: DurableClient, reason: Any) -> None:
    started = await waiting(client)
    await client.terminate_instance(started, reason)
    state = await client.wait_for_instance_completion(started, timeout=LONG)
    assert (state.runtime_status, state.output) == (RuntimeStatus.TERMINATED, reason)


ORDERS: list[Callable[[DurableClient, str], Any]] = [
    lambda client, one: client.raise_event(one, "go"),
    lambda client, one: client.terminate_instance(one),
    lambda client, one: client.suspend_instance(one),
    lambda client, one: client.resume_instance(one),
    lambda client, one: client.redrive_instance(one),
    lambda client, one: client.rewind_instance(one),
    lambda client, one: client.set_custom_status(one, "by hand"),
]


@pytest.mark.parametrize("order", ORDERS)
async def test_orders_to_one_that_is_finished_or_missing(
    client: DurableClient, order: Callable[[DurableClient, str], Any]
) -> None:
    finished = (await ended(client)).instance_id
    with pytest.raises(InstanceStateError) as refused:
        await order(client, finished)
    assert refused.value.finished
    assert refused.value.instance_id == finished
    assert refused.value.status.startswith("Completed")
    with pytest.raises(InstanceNotFoundError) as missing:
        await order(client, "nobody")
    assert missing.value.instance_id == "nobody"
    with pytest.raises(InvalidArgumentError):
        await order(client, "")


async def test_what_is_not_quarantined_is_not_redriven(client: DurableClient) -> None:
    started = await waiting(client)
    with pytest.raises(InstanceStateError, match="not quarantined") as refused:
        await client.redrive_instance(started)
    assert not refused.value.finished
    with pytest.raises(InstanceStateError) as refused:
        await client.purge_instance(started)
    assert (refused.value.status, refused.value.finished) == ("Running", False)


async def test_event_names_stand_for_themselves(client: DurableClient, host: Host) -> None:
    for name in ("a/b", "a b", "{x}", "50%25", "größe?"):
        started = await waiting(client)
        await client.raise_event(started, name, name)
        raised: list[dict[str, Any]] = []
        while not raised:
            await asyncio.sleep(0)
            history = await host.hub.get_instance_history(started)
            raised = [each for each in history if each["EventType"] == "EventRaised"]
        assert raised[0]["Name"] == name


async def test_an_inbox_that_is_full(client: DurableClient) -> None:
    started = await client.schedule_new_orchestration("echo", start_at=timedelta(days=1))
    with pytest.raises(InboxFullError) as refused:
        for _ in range(2000):
            await client.raise_event(started, "go", "x" * (MAX_PAYLOAD - 2))
    assert refused.value.instance_id == started


async def test_restarts(client: DurableClient) -> None:
    first = (await ended(client, "echo", 7)).instance_id
    again = await client.restart_instance(first)
    assert again != first
    same = await client.restart_instance(first, restart_with_new_instance_id=False)
    assert same == first
    for each in (again, same):
        assert (await client.wait_for_instance_completion(each, timeout=LONG)).output == 7
    with pytest.raises(InstanceNotFoundError):
        await client.restart_instance("nobody")
    running = await waiting(client)
    with pytest.raises(InstanceAlreadyExistsError):
        await client.restart_instance(running, restart_with_new_instance_id=False)


async def test_purges_of_one(client: DurableClient) -> None:
    one = (await ended(client)).instance_id
    assert await client.purge_instance(one) == 1
    first = (await ended(client, "parent")).instance_id
    assert await client.purge_instance(first, recursive=False) == 1
    second = (await ended(client, "parent")).instance_id
    assert await client.purge_instance(second) == 2
    assert await client.get_instance(one) is None
    with pytest.raises(InstanceNotFoundError):
        await client.purge_instance(one)


async def listed(client: DurableClient, **query: Any) -> set[str]:
    found = client.get_all_instances(OrchestrationQuery(**query))
    return {each.instance_id async for each in found}


async def test_lists_and_counts_and_purges_by_the_same_words(client: DurableClient) -> None:
    running, failed = RuntimeStatus.RUNNING, RuntimeStatus.FAILED
    await waiting(client, "a-1", tags={"town": "Rome"})
    await ended(client, "echo", instance_id="a-2", tags={"town": "Rome"})
    await ended(client, "failing", instance_id="b-1")
    now = datetime.now(UTC)
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {"a-1", "a-2", "b-1"}),
        ({"runtime_status": [running, failed]}, {"a-1", "b-1"}),
        ({"runtime_status": failed}, {"b-1"}),
        ({"name": "echo"}, {"a-2"}),
        ({"name": ["echo", "failing"]}, {"a-2", "b-1"}),
        ({"tags": {"town": "Rome"}}, {"a-1", "a-2"}),
        ({"instance_id_prefix": "a-"}, {"a-1", "a-2"}),
        ({"text": "LUCK"}, {"b-1"}),
        ({"created_time_from": now - timedelta(minutes=5)}, {"a-1", "a-2", "b-1"}),
        ({"created_time_to": now - timedelta(minutes=5)}, set()),
        ({"last_updated_time_from": now + timedelta(minutes=5)}, set()),
        ({"last_updated_time_to": now + timedelta(minutes=5)}, {"a-1", "a-2", "b-1"}),
    ]
    for query, expected in cases:
        assert await listed(client, **query) == expected, query
        counts = await client.count_instances(OrchestrationQuery(**query))
        assert sum(counts.values()) == len(expected), query
    assert await client.purge_instances(OrchestrationQuery(runtime_status=[running])) == 0
    assert await client.purge_instances(OrchestrationQuery(text="nowhere")) == 0
    assert await client.purge_instances(OrchestrationQuery(tags={"town": "Rome"})) == 1
    assert await listed(client) == {"a-1", "b-1"}
    assert await client.purge_instances(OrchestrationQuery()) == 1


@pytest.mark.parametrize(
    "query", [{"name": []}, {"name": ""}, {"name": 5}, {"instance_id_prefix": ""}]
)
async def test_found_a_filter_that_is_empty_does_not_mean_all(
    client: DurableClient, query: dict[str, Any]
) -> None:
    await ended(client, "echo", instance_id="a-1")
    with pytest.raises(InvalidArgumentError):
        await client.purge_instances(OrchestrationQuery(**query))
    assert await listed(client) == {"a-1"}


async def test_found_a_tag_is_no_other_one_because_of_a_colon(client: DurableClient) -> None:
    with pytest.raises(InvalidArgumentError, match="colon"):
        await waiting(client, "a-1", tags={"a:b": "c"})
    with pytest.raises(InvalidArgumentError, match="colon"):
        await listed(client, tags={"a:b": "c"})
    with pytest.raises(InvalidArgumentError):
        await waiting(client, "a-1", tags={"a": 1})
    await waiting(client, "a-1", tags={"a": "b:c"})
    assert await listed(client, tags={"a": "b:c"}) == {"a-1"}


async def test_pages(client: DurableClient) -> None:
    ids = {(await ended(client, "echo", [1])).instance_id for _ in range(5)}
    found: list[OrchestrationState] = []
    query = OrchestrationQuery(page_size=2)
    while True:
        page = await client.query_instances(query)
        assert len(page.items) <= 2
        found.extend(page.items)
        if page.continuation_token is None:
            break
        query = replace(query, continuation_token=page.continuation_token)
    assert {each.instance_id for each in found} == ids
    assert all(each.output == [1] for each in found)
    for size in (0, 1001, True):
        with pytest.raises(InvalidArgumentError):
            await client.query_instances(OrchestrationQuery(page_size=size))
    with pytest.raises(InvalidArgumentError):
        await client.query_instances(OrchestrationQuery(continuation_token="of another list"))
    with pytest.raises(InvalidArgumentError):
        await client.query_instances({"page_size": 5})  # type: ignore[arg-type]


async def test_links_have_the_same_names_and_lead_to_the_same_places(
    client: DurableClient, host: Host
) -> None:
    own = host.hub.create_http_management_payload("a b")
    urls = client.create_http_management_payload("a b")
    assert list(urls) == list(own)
    for name, url in urls.items():
        path = url.partition("?")[0].partition("/runtime")[2]
        assert path == own[name].partition("?")[0].partition("/runtime")[2]


# ---- only over HTTP ------------------------------------------------------------------------------


async def test_an_answer_for_a_caller_of_an_own_web_service(host: Host) -> None:
    request = HttpRequest(method="GET", url="http://shop.example/orders")
    async with RemoteClient(host.origin) as client:
        started = await client.schedule_new_orchestration("waiting")
        answer = client.create_check_status_response(request, started)
        assert answer.headers["Location"].startswith(f"{host.origin}/runtime/webhooks/")
        await client.raise_event(started, "go", 5)
        done = await client.wait_for_completion_or_create_check_status_response(request, started)
        assert done.get_body() == b"5"


async def test_keys(locked: Host) -> None:
    for key in (None, "guessed", locked.keys[KeyKind.FUNCTION]):
        async with RemoteClient(locked.origin, key) as client:
            with pytest.raises(
                AccessDeniedError,
                match=r"wants a valid key|opens something else\. This needs the role read",
            ) as denied:
                await client.get_instance("one")
            assert denied.value.status in {401, 403}
    async with RemoteClient(locked.origin + "/", locked.keys[KeyKind.MASTER]) as client:
        started = await client.schedule_new_orchestration("failing")
        state = await client.wait_for_instance_completion(started, timeout=LONG)
        assert state.runtime_status is RuntimeStatus.FAILED


@pytest.mark.parametrize(
    "url",
    ["", "localhost:7071", "ftp://x", "http://", "http://h/?a=b", "http://u:p@h", "http://h:x", 5],
)
def test_what_is_no_address_is_refused(url: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="is not like http://localhost:7071"):
        RemoteClient(url)


def test_what_is_no_key_is_refused() -> None:
    with pytest.raises(InvalidArgumentError):
        SyncRemoteClient("http://localhost:7071", "two\nlines")


async def test_without_a_host() -> None:
    with closed_port() as url:
        async with RemoteClient(url, retries=1) as client:
            with pytest.raises(HostUnavailableError, match="Connection refused") as error:
                await client.raise_event("one", "go")
    assert error.value.status is None


@dataclass
class Scripted:
    """A server that gives these answers, one after the other, and the last one for ever."""

    answers: list[Any]
    paths: list[str]

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.paths.append(f"{request.method} {request.path_qs}")
        status, body, *more = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == 0:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        headers = dict(more[0]) if more else {}
        return web.json_response(body, status=status, headers=headers)


@asynccontextmanager
async def scripted(*answers: tuple[Any, ...]) -> AsyncIterator[tuple[str, list[str]]]:
    """The server's address, and what it was asked."""
    script = Scripted(list(answers), [])
    async with serving(script) as url:
        yield url, script.paths


@asynccontextmanager
async def serving(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """The address of a server that answers so."""
    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


AWAY = (503, {"Message": "The host cannot store anything right now; try again later"})


@pytest.mark.parametrize("trouble", [AWAY, (0, None)], ids=["503", "cut"])
async def test_what_is_safe_is_asked_again(trouble: tuple[int, Any]) -> None:
    async with (
        scripted(trouble, trouble, (202, {"id": "one"})) as (url, asked),
        RemoteClient(url, retries=2) as client,
    ):
        assert await client.schedule_new_orchestration("echo") == "one"
        assert len(asked) == 3
        await client.suspend_instance("one")


@pytest.mark.parametrize("trouble", [AWAY, (0, None)], ids=["503", "cut"])
@pytest.mark.parametrize(
    "order", [ORDERS[0], ORDERS[1], lambda client, one: client.restart_instance(one)]
)
async def test_what_may_have_been_done_is_not_done_twice(
    trouble: tuple[int, Any], order: Callable[[DurableClient, str], Any]
) -> None:
    async with (
        scripted(trouble, (202, {"id": "one"})) as (url, asked),
        RemoteClient(url, retries=2) as client,
    ):
        with pytest.raises(HostUnavailableError):
            await order(client, "one")
        assert len(asked) == 1


async def test_retries_end() -> None:
    async with scripted(AWAY) as (url, asked), RemoteClient(url, retries=1) as client:
        with pytest.raises(HostUnavailableError, match="cannot store anything") as error:
            await client.count_instances()
        assert error.value.status == 503
        assert len(asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}),
        (200, []),
        (200, "x"),
        (404, {"Message": "Not Found"}),
        (404, []),
        (302, {}),
        (500, {"Message": "x"}),
        (500, {"ExceptionType": "InvalidArgumentError", "ExceptionMessage": "x"}),
        (200, {"instanceId": "a", "name": "b", "runtimeStatus": "Odd", "createdTime": "x"}),
    ],
    ids=str,
)
async def test_what_no_host_would_answer(answer: tuple[int, Any]) -> None:
    async with scripted(answer) as (url, _), RemoteClient(url) as client:
        with pytest.raises(RemoteError, match=f"answered {answer[0]}") as error:
            await client.get_instance("one")
        assert error.value.status == answer[0]


@pytest.mark.parametrize(
    "cut", [b"{}\n", b'{"format":1,"exported":2}\n', b'{"format":1,"exported":1}\n{}\n']
)
async def test_an_export_that_was_cut_off_between_two_lines_is_no_whole_one(cut: bytes) -> None:
    """A proxy may end in order what its host did not."""

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=cut, content_type="application/x-ndjson")

    async with serving(answer) as url, RemoteClient(url) as client:
        for lines in (client.export_instances(), client.export_instance("one")):
            with pytest.raises(HostUnavailableError, match="not the whole export"):
                _ = [line async for line in lines]


async def test_a_history_that_begins_anew_meanwhile_is_read_anew() -> None:
    first = (200, {"historyEvents": [{"n": 1}]}, {"x-ms-continuation-token": "h1.old"})
    last = (200, {"historyEvents": [{"n": 2}]})
    anew = (400, {"ExceptionType": "InvalidArgumentError", "ExceptionMessage": "another history"})
    async with (
        scripted(first, anew, first, last) as (url, _),
        RemoteClient(url) as client,
    ):
        assert await client.get_instance_history("one") == [{"n": 1}, {"n": 2}]
    async with scripted(*[first, anew] * 5) as (url, _), RemoteClient(url) as client:
        with pytest.raises(RemoteError, match="begins anew"):
            await client.get_instance_history("one")


async def test_a_host_that_holds_no_request_is_asked_again_and_again() -> None:
    async with (
        running_host(limits={"maxWaitSeconds": 0.001}) as host,
        RemoteClient(host.origin) as client,
    ):
        started = await waiting(client)
        wait = asyncio.ensure_future(client.wait_for_instance_completion(started, timeout=LONG))
        await client.raise_event(started, "go", 1)
        assert (await wait).output == 1


def test_the_client_without_a_loop_has_every_method_with_the_same_parameters() -> None:
    left_out = {
        "create_check_status_response",
        "wait_for_completion_or_create_check_status_response",
    }
    for name, method in inspect.getmembers(RemoteClient, inspect.isfunction):
        if name.startswith("_") or name in left_out:
            continue
        own = inspect.signature(getattr(SyncRemoteClient, name)).parameters
        theirs = dict(inspect.signature(method).parameters)
        theirs.pop("request", None)
        assert list(own.values()) == list(theirs.values()), name


async def test_a_sync_client_works_within_a_loop_and_after_its_close(
    host: Host, tmp_path: Path
) -> None:
    del tmp_path
    client = SyncRemoteClient(host.origin)

    def use() -> list[str]:
        with client:
            started = client.schedule_new_orchestration("echo", input=1)
            client.wait_for_instance_completion(started, timeout=LONG)
        return [each.instance_id for each in client.get_all_instances()]

    assert len(await asyncio.to_thread(use)) == 1
    await asyncio.to_thread(client.close)
