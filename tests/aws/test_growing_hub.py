"""How many partitions a hub has is chosen when it is made, and raised while hosts run."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from click.testing import CliRunner, Result

from bindings import FunctionApp, OrchestrationContext
from host.cli.main import main
from host.errors import ConfigurationError
from host.settings.connections import AwsOptions
from host.storage.aws.schema import BARE_INDEXES, HubLayout, table_definition
from host.storage.aws.setup.provision import Provisioner
from host.storage.aws.table.hub_format import FORMAT_1, HubFormat, item_of, new_format
from host.storage.aws.table.parts import GROWING_TAKES
from host.storage.aws.table.store import DynamoStore
from host.storage.protocol import InstanceFilter
from tests.kit.aws_engine import AwsHost, AwsHub, aws_host, aws_hub
from tests.kit.aws_servers import ACCESS_KEY, REGION, SECRET_KEY, aws_environment
from tests.kit.hub import until
from tests.kit.manual_clock import ManualClock

pytestmark = pytest.mark.aws

AN_HOUR = timedelta(hours=1)

Run = Callable[..., Result]

app = FunctionApp()


@app.orchestration_trigger()
async def waits(context: OrchestrationContext) -> str:
    await context.create_timer(context.current_utc_datetime + AN_HOUR)
    return "rung"


# ---- the command ---------------------------------------------------------------------------------


@pytest.fixture
def hub_name() -> str:
    return f"T{uuid4().hex[:12]}"


@pytest.fixture
def run(aws_url: str, hub_name: str, tmp_path: Path) -> Run:
    """`funchost hub ...` on a hub of its own."""

    def invoke(*words: str) -> Result:
        given = ["hub", *words, "--hub", hub_name, "--app", str(tmp_path)]
        return CliRunner().invoke(main, given, env=aws_environment(aws_url))

    return invoke


@pytest.mark.parametrize(
    ("given", "partitions"),
    [(("--partitions", "7"), 7), (("--rate", "10000"), 40), (("--rate", "10"), 4)],
)
def test_a_new_hub_has_the_partitions_that_were_chosen(
    run: Run, hub_name: str, given: tuple[str, str], partitions: int
) -> None:
    created, status, same = run("create", *given), run("status"), run("grow", str(partitions))
    written = f"Wrote format 3, {partitions} partitions into table funchost-{hub_name}."
    assert written in created.output.splitlines()
    assert f"ready, 1 items, format 3, {partitions} partitions\n" in status.output
    assert same.output == f"The hub has {partitions} partitions.\n"


def test_partitions_and_rate_are_one_choice(run: Run) -> None:
    result = run("create", "--partitions", "8", "--rate", "10")
    assert result.exit_code == 2
    assert "Either --partitions or --rate" in result.output


def provisioner(url: str, layout: HubLayout) -> Provisioner:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_environment(url).items():
            patch.setenv(name, value)
        return Provisioner(layout, AwsOptions())


def notes_of(found: Provisioner) -> list[str]:
    return list(next(found.status()).notes)


def test_a_hub_that_is_there_keeps_its_partitions_and_says_how_it_gets_more(
    aws_url: str, hub_name: str
) -> None:
    hub = provisioner(aws_url, HubLayout(hub=hub_name))
    list(hub.create(8))
    more, fewer, same = (list(hub.create(partitions)) for partitions in (16, 4, 8))
    says_more = "The hub has 8 partitions: `funchost hub grow 16` gives it more, while hosts run."
    assert says_more in more
    assert "The hub has 8 partitions already." in fewer
    assert not [line for line in same if line.startswith("The hub has")]
    assert notes_of(hub) == ["format 3, 8 partitions"]


def test_a_hub_grows_in_two_steps_and_goes_on_where_it_was_broken_off(
    aws_url: str, hub_name: str
) -> None:
    hub = provisioner(aws_url, HubLayout(hub=hub_name))
    list(hub.create())
    first = next(hub.grow(16, no_wait))
    assert first == "Hosts are to read 16 partitions. Waiting 360 s for all of them."
    growing = "growing to 16: `funchost hub grow 16` ends it if nobody is at it"
    assert notes_of(hub) == [f"format 3, 4 partitions, {growing}"]
    waited: list[float] = []
    assert list(hub.grow(16, waited.append))[1:] == [
        "New orchestrations go to 16 partitions instead of 4."
    ]
    assert waited == [360.0]
    assert notes_of(hub) == ["format 3, 16 partitions"]
    assert list(hub.grow(16, no_wait)) == ["The hub has 16 partitions."]


def test_who_lets_a_hub_grow_hears_how_long_it_takes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("create")
    monkeypatch.setattr("time.sleep", no_wait)
    result = run("grow", "8")
    assert result.stderr.splitlines() == [f"{left} s more." for left in (300, 240, 180, 120, 60)]
    assert result.stdout.splitlines()[-1].startswith("New orchestrations go to 8 partitions")


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_breaks_the_growing_off_hears_how_it_goes_on(
    aws_url: str, hub_name: str, run: Run, tmp_path: Path, number: signal.Signals
) -> None:
    run("create")
    words = ["hub", "grow", "8", "--hub", hub_name, "--app", str(tmp_path)]
    environment = {**os.environ, **aws_environment(aws_url), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "host", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Hosts are to read 8 partitions.")
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert said.startswith("Broken off. ")
    assert "do the same again" in said
    assert process.returncode == 130
    assert "growing to 8" in run("status").stdout


def no_wait(_: float) -> None:
    """Time passes."""


def test_a_hub_is_never_given_fewer_partitions(aws_url: str, hub_name: str) -> None:
    hub = provisioner(aws_url, HubLayout(hub=hub_name))
    list(hub.create(16))
    with pytest.raises(ConfigurationError, match="The hub has 16 partitions: it can only be given"):
        list(hub.grow(8, no_wait))


def test_a_hub_that_is_not_there_cannot_grow(run: Run, hub_name: str) -> None:
    result = run("grow", "8")
    assert result.exit_code == 2
    assert f"funchost-{hub_name}: it is missing" in result.stderr


def test_two_who_let_a_hub_grow_at_once_do_not_undo_each_other(aws_url: str, hub_name: str) -> None:
    one, other = (provisioner(aws_url, HubLayout(hub=hub_name)) for _ in range(2))
    list(one.create())
    steps = one.grow(8, no_wait)
    next(steps)
    list(other.grow(16, no_wait))
    with pytest.raises(ConfigurationError, match="Somebody else changed the format"):
        list(steps)
    assert notes_of(one) == ["format 3, 16 partitions"]


def older_hub(url: str, hub_name: str, made_for: int, format_: HubFormat | None) -> Provisioner:
    """A hub whose table an older version made."""
    layout = HubLayout(hub=hub_name, format_version=made_for)
    dynamodb = dynamodb_at(url)
    definition = table_definition(layout)
    for index in definition["GlobalSecondaryIndexes"]:
        if made_for == 1 and index["IndexName"] in BARE_INDEXES:
            index["Projection"] = {"ProjectionType": "KEYS_ONLY"}
    dynamodb.create_table(**definition)
    if format_ is not None:
        dynamodb.put_item(TableName=layout.table_name, Item=item_of(format_))
    return provisioner(url, HubLayout(hub=hub_name))


def dynamodb_at(url: str) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


def test_a_hub_of_format_1_stays_as_it_is_until_it_grows(aws_url: str, hub_name: str) -> None:
    hub, table = older_hub(aws_url, hub_name, 1, FORMAT_1), f"funchost-{hub_name}"
    assert f"Table {table} exists." in list(hub.create())
    assert notes_of(hub) == ["format 1, 4 partitions"]
    lines = list(hub.grow(8, no_wait))
    assert lines[0].startswith("Hosts of older versions do not read new partitions: upgrade")
    found = dynamodb_at(aws_url).get_item(
        TableName=table, Key={"pk": {"S": "hub"}, "sk": {"S": "format"}}
    )
    assert found["Item"].items() >= {"v": {"N": "2"}, "n": {"N": "8"}}.items()
    assert [each.problem for each in hub.status()] == [None] * 5


def test_a_hub_of_format_2_stays_of_it(aws_url: str, hub_name: str) -> None:
    hub = older_hub(aws_url, hub_name, 2, new_format(version=2))
    list(hub.create())
    list(hub.grow(8, no_wait))
    assert notes_of(hub) == ["format 2, 8 partitions"]
    assert [each.problem for each in hub.status()] == [None] * 5


def test_a_table_of_an_older_template_becomes_a_hub_of_its_format(
    aws_url: str, hub_name: str
) -> None:
    hub = older_hub(aws_url, hub_name, 2, None)
    assert f"Wrote format 2, 4 partitions into table funchost-{hub_name}." in list(hub.create())
    assert [each.problem for each in hub.status()] == [None] * 5


async def test_the_first_host_on_a_table_of_an_older_template_writes_its_format(
    aws_url: str,
) -> None:
    async with aws_hub(aws_url, format_version=2) as hub:
        store = DynamoStore(hub.client("dynamodb"), hub.layout.table_name, ManualClock().now)
        await store.open()
        await store.query(InstanceFilter(), limit=1)
        assert notes_of(provisioner(aws_url, hub.layout))[0].startswith("format 2")
        await store.close()


def test_a_format_and_indexes_that_do_not_go_together_are_told(aws_url: str, hub_name: str) -> None:
    hub = older_hub(aws_url, hub_name, 3, new_format(version=2))
    told = "its format is 2, and its indexes are those of format 3"
    assert next(hub.status()).problem == told
    with pytest.raises(ConfigurationError, match=told):
        list(hub.create())


# ---- hosts that run meanwhile --------------------------------------------------------------------


class Growing:
    """A hub with two hosts, and a look at it from outside."""

    def __init__(self, hub: AwsHub, hosts: list[AwsHost], clock: ManualClock) -> None:
        self._hosts = hosts
        self._clock = clock
        self._table = hub.layout.table_name
        self._client = hub.client("dynamodb")
        self.started: set[str] = set()

    async def start_some(self) -> None:
        """Start some on each host, and wait until all have set their timers."""
        for host in self._hosts:
            for _ in range(5):
                self.started.add(await host.client.schedule_new_orchestration(waits))
        await until(self._all_wait)
        for host in self._hosts:
            await host.sessions_ended()

    async def store(self) -> DynamoStore:
        """What one more host would see now."""
        store = DynamoStore(self._client, self._table, self._clock.now)
        await store.open()
        return store

    async def _all_wait(self) -> bool:
        alarms = await (await self.store()).due_alarms(self._clock.now() + 2 * AN_HOUR, 1000)
        return {each.instance_id for each in alarms} == self.started

    async def all_have_ended(self) -> bool:
        """Whether all timers have rung."""
        rows = [await (await self.store()).get(each) for each in self.started]
        return all(row is not None and row.is_finished for row in rows)

    async def parts(self) -> set[str]:
        """The parts of the index of unfinished instances that have entries."""
        answer = await self._client.call("Scan", {"TableName": self._table})
        return {item["u"]["S"] for item in answer["Items"] if "u" in item}


@asynccontextmanager
async def growing(url: str, clock: ManualClock) -> AsyncIterator[tuple[Growing, Iterator[str]]]:
    """Two hosts at work, and the steps of a hub that grows to 16 partitions."""
    async with (
        aws_hub(url) as hub,
        aws_host(hub, app, clock) as one,
        aws_host(hub, app, clock) as other,
    ):
        steps = provisioner(url, hub.layout).grow(16, no_wait)
        yield Growing(hub, [one, other], clock), steps


async def test_two_hosts_lose_nothing_while_their_hub_grows(ministack_url: str) -> None:
    clock = ManualClock()
    async with growing(ministack_url, clock) as (hub, steps):
        await hub.start_some()
        await asyncio.to_thread(next, steps)
        await hub.start_some()
        await clock.advance(GROWING_TAKES / 6, steps=6)
        await hub.start_some()
        assert len(await hub.parts()) == 4
        await asyncio.to_thread(list, steps)
        await clock.advance(GROWING_TAKES / 6, steps=6)
        await hub.start_some()
        assert len(await hub.parts()) > 4
        store = await hub.store()
        page = await store.query(InstanceFilter(), limit=1000)
        assert {row.instance_id for row in page.instances} == hub.started
        await clock.advance(AN_HOUR / 60, steps=65)
        await until(hub.all_have_ended)
