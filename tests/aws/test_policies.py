"""The policies that `funchost hub iam-policy` prints: enough for each role, and no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar
from uuid import uuid4

import pytest

from bindings import FunctionApp, OrchestrationContext, OrchestrationQuery
from host.clock import SystemClock
from host.core.converter import Converter
from host.engine.client import HubClient
from host.engine.engine import Engine
from host.engine.options import EngineOptions
from host.engine.recovery import wake_recoverable
from host.errors import ConfigurationError, StorageUnavailableError
from host.functions.catalog import Catalog
from host.settings.connections import AwsOptions
from host.storage.aws.queues.queues import SqsQueues
from host.storage.aws.schema import HubLayout, queue_definitions
from host.storage.aws.setup.policies import Place, Role, policy
from host.storage.aws.setup.provision import Provisioner
from host.storage.aws.table.keys import FORMAT_KEY
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.wire.connections import PooledTransport
from host.storage.protocol import WorkItem
from tests.kit.aws_engine import POLL_S, AwsHost, AwsHub, aws_host, aws_hub
from tests.kit.aws_servers import aws_environment
from tests.kit.doors import door
from tests.kit.hub import NoLinks, loaded
from tests.kit.policed_transport import PolicedTransport, allows

LAYOUT = HubLayout(hub="Orders", wakeup_queues=2)
PLACE = Place(region="eu-west-1", account="123456789012")
KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
T = TypeVar("T")
QUEUES = tuple(queue.name for queue in queue_definitions(LAYOUT))
DEAD = tuple(name for name in QUEUES if "-dead" in name)
SERVING = ("ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage", "SendMessage")

app = FunctionApp()


@app.activity_trigger()
async def say_hello(city: str) -> str:
    return f"Hello {city}!"


@app.orchestration_trigger()
async def greeting(context: OrchestrationContext) -> str:
    return str(await context.call_activity(say_hello, await context.wait_for_external_event("go")))


def allowed(role: Role, queue: str, actions: tuple[str, ...] = SERVING) -> list[str]:
    """Which of the actions a role may do on a queue."""
    document, arn = policy(role, LAYOUT, PLACE), PLACE.arn("sqs", queue)
    return [action for action in actions if allows(document, f"sqs:{action}", arn)]


def policed(hub: AwsHub, role: Role) -> PolicedTransport:
    return PolicedTransport(hub.pool, policy(role, hub.layout, PLACE), PLACE)


def store_of(hub: AwsHub, transport: PolicedTransport) -> DynamoStore:
    client = hub.client("dynamodb", transport)
    return DynamoStore(client, hub.layout.table_name, SystemClock().now)


def client_of(store: DynamoStore, queues: SqsQueues) -> HubClient:
    """A client of a process that runs nothing."""
    converter = Converter()
    engine = Engine(
        store=store,
        queues=queues,
        catalog=Catalog(loaded(app), converter),
        converter=converter,
        clock=SystemClock(),
        options=EngineOptions(),
    )
    return HubClient(engine, NoLinks())


def queues_of(hub: AwsHub, transport: PolicedTransport) -> SqsQueues:
    return SqsQueues(
        hub.layout.wakeup_queue_names,
        hub.layout.work_queue_name,
        client=hub.client("sqs", transport),
        clock=SystemClock(),
        poll_s=POLL_S,
    )


@pytest.mark.parametrize("role", list(Role))
def test_no_policy_reaches_beyond_the_hub(role: Role) -> None:
    for statement in policy(role, LAYOUT, PLACE)["Statement"]:
        assert all(LAYOUT.table_name in resource for resource in statement["Resource"])
        assert not any("*" in action for action in statement["Action"])


def test_a_reader_can_change_nothing() -> None:
    actions = {
        action
        for statement in policy(Role.READ_ONLY, LAYOUT, PLACE)["Statement"]
        for action in statement["Action"]
    }
    assert {action.partition(":")[2] for action in actions} == {
        "DescribeTable",
        "GetItem",
        "GetQueueAttributes",
        "GetQueueUrl",
        "Query",
    }


@pytest.mark.parametrize("queues", [1, 11, 100])
@pytest.mark.parametrize("role", list(Role))
def test_a_policy_has_room_in_what_iam_takes(role: Role, queues: int) -> None:
    """6,144 characters, without those between words."""
    layout = HubLayout(hub="O" * 35, wakeup_queues=queues, kms_key_arn=KEY)
    place = Place(region="ap-southeast-1", account="123456789012", partition="aws-us-gov")
    assert len(json.dumps(policy(role, layout, place), separators=(",", ":"))) < 6144


def test_many_queues_are_named_by_patterns_that_match_them_and_no_others() -> None:
    layout = replace(LAYOUT, wakeup_queues=11)
    document = policy(Role.HOST, layout, PLACE)
    names = [queue.name for queue in queue_definitions(layout)]
    allowed = [
        name for name in names if allows(document, "sqs:ReceiveMessage", PLACE.arn("sqs", name))
    ]
    assert allowed == [name for name in names if "-dead" not in name]


@pytest.mark.parametrize("role", list(Role))
def test_a_key_is_used_through_dynamodb_and_sqs_only(role: Role) -> None:
    layout = replace(LAYOUT, kms_key_arn=KEY)
    statements = policy(role, layout, PLACE)["Statement"]
    (key,) = [each for each in statements if each["Sid"] == "Key"]
    assert key["Resource"] == [KEY]
    assert key["Condition"] == {
        "StringLike": {"kms:ViaService": ["dynamodb.eu-west-1.*", "sqs.eu-west-1.*"]}
    }
    assert "kms:Decrypt" in key["Action"]
    assert ("kms:GenerateDataKey" in key["Action"]) is (role is not Role.READ_ONLY)
    assert ("kms:CreateGrant" in key["Action"]) is (role in {Role.SETUP, Role.PROBE})
    may_change = allows(
        policy(role, layout, PLACE), "dynamodb:UpdateTable", statements[0]["Resource"][0]
    )
    assert may_change is (role is Role.SETUP)


@pytest.mark.parametrize("role", list(Role))
def test_without_a_key_of_ones_own_no_policy_speaks_of_keys(role: Role) -> None:
    assert "kms" not in str(policy(role, LAYOUT, PLACE))


@pytest.mark.parametrize("role", [Role.HOST, Role.CLIENT])
def test_only_who_looks_at_a_hub_or_sets_it_up_may_ask_what_it_is_made_of(role: Role) -> None:
    actions = {
        action
        for statement in policy(role, LAYOUT, PLACE)["Statement"]
        for action in statement["Action"]
    }
    assert not actions & {"dynamodb:DescribeTable", "sqs:GetQueueAttributes"}


@pytest.mark.parametrize("queue", [*LAYOUT.wakeup_queue_names, LAYOUT.work_queue_name])
def test_a_host_serves_wakeups_and_work_alike(queue: str) -> None:
    assert allowed(Role.HOST, queue) == list(SERVING)


@pytest.mark.parametrize("role", [Role.HOST, Role.CLIENT])
def test_dead_letters_are_for_sqs_alone_to_move(role: Role) -> None:
    assert [allowed(role, queue, (*SERVING, "GetQueueUrl")) for queue in DEAD] == [[], []]


def test_a_client_sends_wakeups_and_nothing_else() -> None:
    sends = {queue: allowed(Role.CLIENT, queue) for queue in QUEUES}
    assert sends == {
        queue: ["SendMessage"] if queue in LAYOUT.wakeup_queue_names else [] for queue in QUEUES
    }


def test_who_sets_up_reads_and_writes_no_instance() -> None:
    document = policy(Role.SETUP, LAYOUT, PLACE)
    table = PLACE.arn("dynamodb", f"table/{LAYOUT.table_name}")
    for action in ("dynamodb:GetItem", "dynamodb:PutItem"):
        assert allows(document, action, table, [FORMAT_KEY["pk"]["S"]])
        assert not allows(document, action, table, ["i#order-1"])


@pytest.mark.aws
async def test_the_hosts_policy_is_enough_for_a_host(moto_url: str) -> None:
    async with aws_hub(moto_url) as hub:
        transport = policed(hub, Role.HOST)
        async with aws_host(hub, app, SystemClock(), transport=transport) as host:
            assert await greeted(host) == "Hello Oslo!"
            assert await host.client.purge_instances(OrchestrationQuery()) == 1
        assert transport.refused == []


async def greeted(host: AwsHost) -> object:
    instance_id = await host.client.schedule_new_orchestration(greeting)
    await host.client.raise_event(instance_id, "go", "Oslo")
    return (await host.client.wait_for_instance_completion(instance_id)).output


@pytest.mark.aws
async def test_the_hosts_policy_is_enough_for_work_of_other_hosts(moto_url: str) -> None:
    async with aws_hub(moto_url) as hub:
        transport = policed(hub, Role.HOST)
        queues = queues_of(hub, transport)
        await queues.open()
        await queues.send_work([WorkItem(instance_id="i", execution_id="e", task_id=1)])
        items = await queues.receive_work(1)
        await queues.extend(items)
        await queues.finish(items)
        await queues.close()
        assert [item.task_id for item in items] == [1]
        assert transport.refused == []


@pytest.mark.aws
async def test_the_clients_policy_is_enough_to_start_and_to_steer(moto_url: str) -> None:
    async with aws_hub(moto_url) as hub, aws_host(hub, app, SystemClock()) as host:
        transport = policed(hub, Role.CLIENT)
        store, queues = store_of(hub, transport), queues_of(hub, transport)
        await store.open()
        await queues.open()
        client = client_of(store, queues)
        instance_id = await client.schedule_new_orchestration(greeting)
        await client.raise_event(instance_id, "go", "Oslo")
        state = await host.client.wait_for_instance_completion(instance_id)
        assert state.output == "Hello Oslo!"
        await client.purge_instance(instance_id)
        await queues.close()
        assert transport.refused == []


@pytest.mark.aws
async def test_found_a10_the_policy_for_repairs_is_enough_to_repair(moto_url: str) -> None:
    async with aws_hub(moto_url) as hub:
        transport = policed(hub, Role.REPAIR)
        store, queues = store_of(hub, transport), queues_of(hub, transport)
        await store.open()
        await queues.open()
        await client_of(store, queues).schedule_new_orchestration(greeting)
        assert await wake_recoverable(store, queues) == 1
        assert await store.remove_leftovers() == 0
        await queues.close()
        assert transport.refused == []


@pytest.mark.aws
async def test_a_reader_opens_a_hub_that_was_set_up_and_cannot_write(moto_url: str) -> None:
    async with aws_hub(moto_url) as hub:
        transport = policed(hub, Role.READ_ONLY)
        reader = store_of(hub, transport)
        with pytest.raises(StorageUnavailableError, match="iam-policy"):
            await reader.open()  # nobody wrote the format yet
        await store_of(hub, policed(hub, Role.HOST)).open()
        await reader.open()
        assert await reader.get("nobody") is None


@pytest.fixture
def environment(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What leads the commands to a server; its URL."""
    for name, value in aws_environment(moto_url).items():
        monkeypatch.setenv(name, value)
    return moto_url


@pytest.mark.aws
async def test_a_reader_sees_the_status_of_a_hub_and_changes_nothing_of_it(
    environment: str,
) -> None:
    layout = HubLayout(hub=f"T{uuid4().hex[:12]}")
    await run(Provisioner(layout, AwsOptions()).create)
    async with provisioner(environment, layout, Role.READ_ONLY) as (reader, transport):
        findings = await run(reader.status)
        assert [finding.problem for finding in findings] == [None] * 5
        assert transport.refused == []
        assert transport.passed == {
            "dynamodb:DescribeTable",
            "dynamodb:GetItem",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
        }
        for change in (reader.create, reader.delete):
            with pytest.raises(ConfigurationError, match=r"AWS refused: .*AccessDenied"):
                await run(change)


@pytest.mark.aws
async def test_the_policy_of_who_sets_up_is_enough_for_all_of_it(environment: str) -> None:
    layout = HubLayout(hub=f"T{uuid4().hex[:12]}")
    async with provisioner(environment, layout, Role.SETUP) as (setup, transport):
        commands = [
            (setup.create, 6),
            (setup.create, 5),
            (lambda: setup.grow(8, lambda _: None), 2),
            (setup.delete, 5),
        ]
        for command, steps in commands:
            assert len(await run(command)) == steps
        assert transport.refused == []


@asynccontextmanager
async def provisioner(
    url: str, layout: HubLayout, role: Role
) -> AsyncIterator[tuple[Provisioner, PolicedTransport]]:
    """What the commands use, under a role's policy."""
    pool = PooledTransport()
    await pool.open()
    transport = PolicedTransport(pool, policy(role, layout, PLACE), PLACE)
    async with door(transport, url) as way:
        yield Provisioner(layout, AwsOptions(endpoint_url=way)), transport
    await pool.close()


async def run(command: Callable[[], Iterator[T]]) -> list[T]:
    return await asyncio.to_thread(lambda: list(command()))
