"""Stores over a DynamoDB table in memory, on which anything can be made to happen before a request.

For what takes exact moments and no server: the table is the simulator's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

from host.storage.aws.schema import (
    FORMAT_VERSION,
    VISIBILITY_TIMEOUT_S,
    HubLayout,
    table_definition,
)
from host.storage.aws.table.heads import fresh_for
from host.storage.aws.table.hub_format import HubFormat, item_of
from host.storage.aws.table.keys import META, Item, id_of, read_text, sort_key_of
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.endpoints import Endpoint
from host.storage.aws.wire.retries import RetryRules
from host.storage.aws.wire.signing import Keys, StaticCredentials
from host.storage.aws.wire.transport import Failure, Request, Response, Transport, TransportError
from tests.kit.scripted_transport import LeapingClock
from tests.simulation.aws_hub import _answer, _read, _refusal
from tests.simulation.dynamo import SimulatedTable
from tests.simulation.dynamo_expressions import RefusalError
from tests.simulation.faults import Fault

Before: TypeAlias = Callable[[str, dict[str, Any]], object]
LAYOUT = HubLayout(hub="simulated")
HALF = 0.5


class DiedError(BaseException):
    """The host is gone: no handler of its own hears of it."""


class SimulatedDynamo:
    """One hub's table, of this format, else of what its first host writes. One try a request.

    Without a format it is `made_for` a hub of this one, by a template of some version.

    Each of the faults strikes every other time that it can.
    """

    def __init__(
        self,
        format_: HubFormat | None = None,
        *,
        made_for: int = FORMAT_VERSION,
        faults: Collection[Fault] = (),
        seed: int = 1,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.clock = LeapingClock()
        self.away: set[str] = set()
        """Operations that do not get there at present."""
        self.unheard: set[str] = set()
        """Operations whose answers are lost at present."""
        self._now = now or self.clock.now
        loop = SimpleNamespace(
            call_later=lambda _, call, *args, context=None: call(*args), time=lambda: 0.0
        )
        random = Random(seed)
        strikes = SimpleNamespace(
            strikes=lambda fault: fault in faults and random.random() < HALF,
            between=lambda *_: 0.0,
        )
        self._table = SimulatedTable(
            table_definition(layout_of(made_for if format_ is None else format_.version)),
            loop=cast("Any", loop),
            seed=seed,
            faults=cast("Any", strikes),
            watch=lambda _old, _new: None,
        )
        if format_ is not None:
            self.write_format(format_)

    def write_format(self, format_: HubFormat) -> None:
        """What `funchost hub create` and `funchost hub grow` write."""
        self._table.do("PutItem", {"Item": item_of(format_)})

    def store(
        self,
        before: Before = lambda _operation, _body: None,
        wrap: Callable[[Transport], Transport] = lambda transport: transport,
    ) -> DynamoStore:
        """The store of one more host; `before` may do or raise anything before its requests.

        `wrap` puts something between the store and the table.
        """

        async def wire(request: Request) -> Response:
            operation, body = _read(request)
            before(operation, body)
            if operation in self.away:
                raise TransportError(Failure.NOT_CONNECTED, "away")
            try:
                answer = _answer(self._table.do(operation, body))
            except RefusalError as refusal:
                answer = _refusal(refusal)
            if operation in self.unheard:
                raise TransportError(Failure.CONNECTION_LOST, "lost")
            return answer

        trusted = fresh_for(VISIBILITY_TIMEOUT_S)
        client = self._client(wrap(wire))
        return DynamoStore(client, LAYOUT.table_name, self._now, fresh_for=trusted)

    def client(self) -> AwsClient:
        """Whoever looks at the table from outside."""

        async def wire(request: Request) -> Response:
            return _answer(self._table.do(*_read(request)))

        return self._client(wire)

    def _client(self, transport: Transport) -> AwsClient:
        return AwsClient(
            service="dynamodb",
            endpoint=Endpoint(url="https://dynamodb.invalid", region="nowhere"),
            credentials=StaticCredentials(Keys("key", "secret")),
            transport=transport,
            clock=self.clock,
            rules=RetryRules(attempts=1),
        )

    def keys(self, instance_id: str) -> list[str]:
        """The sort keys of all that is stored of an instance."""
        return [sort_key_of(item) for item in self._items() if id_of(item) == instance_id]

    def row_item(self, instance_id: str) -> Item | None:
        """The item of a row, as it is stored."""
        found = [x for x in self._items() if (id_of(x), sort_key_of(x)) == (instance_id, META)]
        return found[0] if found else None

    def change_row(self, instance_id: str, changes: Item) -> None:
        """Write into a row's item by hand."""
        item = self.row_item(instance_id)
        assert item is not None
        self._table.do("PutItem", {"Item": item | changes})

    def parts(self, attribute: str) -> set[str]:
        """The parts of an index that have entries; the attribute is the index's key."""
        keys = {read_text(item, attribute) for item in self._items() if attribute in item}
        return {key.partition("#")[0] for key in keys}

    def pass_time(self, delta: timedelta) -> None:
        """Move the clock of all hosts."""
        self.clock.pass_time(delta.total_seconds())

    def _items(self) -> list[Item]:
        return [item for item in self._table.items() if "r" in item]


def layout_of(version: int) -> HubLayout:
    """What a hub of this format is made of."""
    return HubLayout(hub=LAYOUT.hub, format_version=version)


def at_once(work: Any) -> None:
    """Do what other hosts do in this very moment; none of it waits for anything."""
    asyncio.get_running_loop()
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("It waits for something.")
