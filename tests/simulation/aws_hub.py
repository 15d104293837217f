"""A hub on a simulated AWS: the real drivers for DynamoDB and SQS, over a way that loses answers.

Rules of this file: everything above the transport is the product's own code, retries and all. A
request is signed and encoded as ever; only the wire, the table and the queues are simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any, Final, TypeAlias

import msgspec

from bindings.errors import InstanceStateError
from host.core import ids
from host.core.records import Commit, Effects, Instance, Notice, Snapshot
from host.engine.job_records import Job
from host.engine.jobs import JOB
from host.storage import rules
from host.storage.aws.queues.queues import SqsQueues
from host.storage.aws.schema import HubLayout
from host.storage.aws.table.heads import fresh_for
from host.storage.aws.table.items import batch_of, run_of
from host.storage.aws.table.keys import (
    BATCHES,
    CHUNKS,
    META,
    id_of,
    key_of,
    read_number,
    read_text,
    sort_key_of,
)
from host.storage.aws.table.leftovers import CHUNKS_LAST
from host.storage.aws.table.store import DynamoStore
from host.storage.aws.table.table import MISSING
from host.storage.aws.wire.client import AwsClient, Service
from host.storage.aws.wire.endpoints import Endpoint
from host.storage.aws.wire.retries import RetryRules
from host.storage.aws.wire.signing import Credentials, Keys, StaticCredentials
from host.storage.aws.wire.transport import Failure, Request, Response, Transport, TransportError
from host.storage.kept_notices import NOTICE
from host.storage.protocol import HubQueues, HubStore, InstanceFilter, InstancePage
from tests.simulation import receivers
from tests.simulation.clerks import MANY, jobs_of
from tests.simulation.clock import SkewedClock
from tests.simulation.dynamo import SimulatedTable
from tests.simulation.dynamo_expressions import Item, RefusalError
from tests.simulation.faults import Faults
from tests.simulation.formats import format_of
from tests.simulation.lists import problems_of_lists
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import (
    Caller,
    LateError,
    Network,
    NoAnswerError,
    RefusedError,
    ThrottledError,
)
from tests.simulation.queue import VISIBILITY_S, Poll, Queue
from tests.simulation.sqs import SimulatedSqs, received
from tests.simulation.tables import Witness

Body: TypeAlias = dict[str, Any]
Serve: TypeAlias = Callable[[str, Body], "Body | Poll"]

LAYOUT: Final = HubLayout(hub="simulated")
CREDENTIALS: Final = StaticCredentials(Keys("key", "secret"))
LATER_S = 3 * 3600.0
PATIENT = 2
"""Who tries more often than this is patient."""
MAX_STEPS = 5
"""How far a history may be ahead of its row, in executions."""

_READS = frozenset({"GetItem", "Query", "GetQueueUrl"})
_FAILURES = {
    RefusedError: Failure.NOT_CONNECTED,
    NoAnswerError: Failure.CONNECTION_LOST,
    LateError: Failure.TIMED_OUT,
}
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class AwsHub:
    """One table and two queues of the product's own layout."""

    def __init__(
        self,
        *,
        loop: VirtualLoop,
        seed: int,
        faults: Faults,
        network: Network,
        witness: Witness,
        wakeups: Queue,
        work: Queue,
    ) -> None:
        self.wakeups = wakeups
        self.work = work
        self._network = network
        self._witness = witness
        self._random = Random(f"{seed}/aws")
        self._latest = SkewedClock(loop, 0).latest
        self._calm = SkewedClock(loop, 0)
        self._later = SkewedClock(loop, LATER_S)
        format_ = format_of(seed)
        self._table = SimulatedTable(
            format_.definition(LAYOUT), loop=loop, seed=seed, faults=faults, watch=self._changed
        )
        format_.arrange(self._write_format, loop.call_later)
        (wakeup_queue,) = LAYOUT.wakeup_queue_names
        self.are_all_patient = True
        """Whether every host tries often enough to get the better of a service that is busy."""
        self._sqs = SimulatedSqs({wakeup_queue: wakeups, LAYOUT.work_queue_name: work}, faults)

    def _write_format(self, item: Item) -> None:
        self._table.do("PutItem", {"Item": item})

    def drivers(self, caller: Caller, clock: SkewedClock) -> tuple[HubStore, HubQueues]:
        """The drivers of one host; some hosts are patient, some give up at once."""
        rules = self._rules()
        credentials = self._credentials(clock)
        self.are_all_patient = self.are_all_patient and rules.attempts > PATIENT
        jitter = Random(f"{caller.process.name}/{self._random.random()}").random

        def client(service: Service, serve: Serve) -> AwsClient:
            return AwsClient(
                service=service,
                endpoint=Endpoint(url=f"https://{service}.invalid", region="nowhere"),
                credentials=credentials,
                transport=self._transport(caller, service, serve),
                clock=clock,
                rules=rules,
                jitter=jitter,
            )

        def table(operation: str, body: Body) -> Body:
            self._latest = clock.latest
            return self._table.do(operation, body)

        store = DynamoStore(
            client("dynamodb", table),
            LAYOUT.table_name,
            clock.now,
            fresh_for=fresh_for(VISIBILITY_S),
        )
        queues = SqsQueues(
            LAYOUT.wakeup_queue_names,
            LAYOUT.work_queue_name,
            client=client("sqs", partial(self._sqs.do, caller.process)),
            clock=clock,
            hold_s=int(VISIBILITY_S),
        )
        return store, queues

    def _rules(self) -> RetryRules:
        """How patient the next host is."""
        return RetryRules(attempts=self._random.choice((1, 2, 8)), timeout_s=10.0)

    def _credentials(self, clock: SkewedClock) -> Credentials:
        return CREDENTIALS

    def _transport(self, caller: Caller, service: Service, serve: Serve) -> Transport:
        """The way of one host to one service."""
        return _Wire(self._network, caller, serve)

    async def everything(self) -> Sequence[Snapshot]:
        """All that is stored, as the driver reads it when nothing disturbs it."""
        store = self._undisturbed(self._calm)
        found = [await store.load(id_of(x)) for x in self._table.items() if sort_key_of(x) == META]
        return [snapshot for snapshot in found if snapshot is not None]

    async def jobs(self) -> Sequence[Job]:
        """All jobs, as the driver reads them when nothing disturbs it."""
        page = await self._undisturbed(self._calm).records(JOB, limit=MANY)
        return jobs_of(page.records)

    async def notices(self) -> Sequence[Notice]:
        """All notices that are kept, as the driver reads them when nothing disturbs it."""
        page = await self._undisturbed(self._calm).records(NOTICE, limit=receivers.MANY)
        return receivers.notices_of(page.records)

    def chosen(self) -> None:
        """Nobody looks."""

    async def list_problems(self, rows: Sequence[Instance], random: Random) -> Sequence[str]:
        """What lists and counts say that is not so, when nothing disturbs them."""
        store = self._undisturbed(self._calm)

        async def query(filter_: InstanceFilter, limit: int, token: str | None) -> InstancePage:
            return await store.query(filter_, limit=limit, token=token)

        return await problems_of_lists(query, store.count, rows, random)

    def left_over(self) -> Sequence[str]:
        """Items that no row leads to: of runs that are over, and chunks that nothing names."""
        return [_in_short(item) for item in self._left()]

    async def purge_all(self) -> Sequence[str]:
        """Purge every finished instance, when nothing disturbs that; what is wrongly left of them.

        Of a run that only chunks tell of nobody knows whether it is over or is to begin: as long as
        they are young they may be of a start under way, and are for the repair.
        """
        store = self._undisturbed(self._calm)
        items = [item for item in self._table.items() if "r" in item]
        known = {(id_of(item), run_of(item)) for item in items if not _is_chunk(item)}
        ids = {id_of(item) for item in items if sort_key_of(item) == META}
        for instance_id in sorted(ids):
            with suppress(InstanceStateError):  # it never ended, which is for other checks to say
                await store.purge(instance_id)
        return [
            _in_short(item)
            for item in self._left()
            if id_of(item) in ids
            and not (self._is_young_chunk(item) and (id_of(item), run_of(item)) not in known)
        ]

    def _left(self) -> Sequence[Item]:
        items = [item for item in self._table.items() if "r" in item]
        runs = {id_of(item): run_of(item) for item in items if sort_key_of(item) == META}
        named = {read_text(item, "c").rpartition(".")[0] for item in items if "c" in item}
        return [
            item
            for item in items
            if runs.get(id_of(item)) != run_of(item) or _is_nameless(item, named)
        ]

    def _is_young_chunk(self, item: Item) -> bool:
        written = rules.from_micros(read_number(item, "wa")) if _is_chunk(item) else None
        return written is not None and self._calm.now() - written <= CHUNKS_LAST

    async def repair(self) -> None:
        """What `funchost hub repair` removes, some hours later."""
        await self._undisturbed(self._later).remove_leftovers()

    def _undisturbed(self, clock: SkewedClock) -> DynamoStore:
        client = AwsClient(
            service="dynamodb",
            endpoint=Endpoint(url="https://dynamodb.invalid", region="nowhere"),
            credentials=CREDENTIALS,
            transport=self._at_once,
            clock=clock,
        )
        return DynamoStore(client, LAYOUT.table_name, clock.now)

    async def _at_once(self, request: Request) -> Response:
        return _answer(self._table.do(*_read(request)))

    # ---- what is stored -----------------------------------------------------------------------

    def _changed(self, old: Item | None, new: Item | None) -> None:
        item = new or old
        if item is None or "r" not in item:
            return
        instance_id, sort_key = id_of(item), sort_key_of(item)
        if sort_key == META and old is not None and (new is None or run_of(new) != run_of(old)):
            self._witness.removed(instance_id)
        if sort_key == META and old is None and new is not None:
            self._planted(new)
        is_again = new == old  # of who plants, a request may land twice: it is about nobody yet
        if sort_key.startswith(BATCHES) and new is not None and not is_again and self._counts(new):
            self._appended(new)

    def _planted(self, row: Item) -> None:
        """Tell of what was there before the row that makes it an instance."""
        mine = [
            batch_of(item, self._chunks(item))
            for item in self._table.items()
            if item["pk"] == row["pk"]
            and sort_key_of(item).startswith(BATCHES)
            and run_of(item) == run_of(row)
        ]
        if mine:
            mine.sort(key=lambda each: each.number)
            self._witness.planted(id_of(row), mine)

    def _appended(self, item: Item) -> None:
        stored = batch_of(item, self._chunks(item))
        commit = Commit(
            instance_id=id_of(item),
            execution_id=stored.execution_id,
            number=stored.number,
            batch=stored.batch,
            effects=Effects(instance_id=id_of(item)),
            row_execution_id="",
        )
        self._witness.appended(commit, self._latest)

    def _counts(self, batch: Item) -> bool:
        """Whether the batch belongs to what its row leads to: what a zombie writes does not."""
        row = self._find(id_of(batch), META)
        if row is None or run_of(row) != run_of(batch):
            return False
        execution_id = read_text(row, "x")
        for _ in range(MAX_STEPS):
            if sort_key_of(batch).startswith(f"{BATCHES}{execution_id}#"):
                return True
            execution_id = ids.next_execution_id(execution_id)
        return False

    def _find(self, instance_id: str, sort_key: str) -> Item | None:
        name = {"TableName": LAYOUT.table_name, "Key": key_of(instance_id, sort_key)}
        found: Item | None = self._table.do("GetItem", name).get("Item")
        return found

    def _chunks(self, item: Item) -> dict[str, Item]:
        mine = key_of(id_of(item), "")["pk"]
        return {
            sort_key_of(each): each
            for each in (self._table.items() if "c" in item else ())
            if each["pk"] == mine and sort_key_of(each).startswith(CHUNKS)
        }


class _Wire:
    """The way of one host to one service."""

    def __init__(self, network: Network, caller: Caller, serve: Serve) -> None:
        self._network = network
        self._caller = caller
        self._serve = serve

    async def __call__(self, request: Request) -> Response:
        operation, body = _read(request)
        try:
            answer = await self._network.request(
                self._caller,
                operation,
                _in_words(body),
                lambda: self._serve(operation, body),
                writes=operation not in _READS,
                may_be_late=not _begins_a_life(body),
            )
        except RefusalError as refusal:
            return _refusal(refusal)
        except ThrottledError:
            return _refusal(RefusalError("ProvisionedThroughputExceededException"))
        except tuple(_FAILURES) as error:
            raise TransportError(_FAILURES[type(error)], str(error)) from error
        return _answer(answer if isinstance(answer, dict) else received(await answer))


def _begins_a_life(body: Body) -> bool:
    """Whether it starts an instance under a free id.

    Should that land when the instance, started by a second attempt, was run and purged already, it
    is run again: a limit that the product states, and not for every check to trip over.
    """
    is_row = body.get("Item", {}).get("sk", {}).get("S") == META
    return is_row and str(body["ConditionExpression"]) == MISSING.text


def _read(request: Request) -> tuple[str, Body]:
    return request.headers["x-amz-target"].rpartition(".")[2], _decode(request.body)


def _answer(body: Body) -> Response:
    return Response(200, {}, _encode(body))


def _refusal(refusal: RefusalError) -> Response:
    return Response(400, {}, _encode({"__type": f"aws#{refusal.code}", "message": refusal.message}))


def _is_chunk(item: Item) -> bool:
    return sort_key_of(item).startswith(CHUNKS)


def _is_nameless(item: Item, named: set[str]) -> bool:
    return _is_chunk(item) and sort_key_of(item)[len(CHUNKS) :].split("#")[0] not in named


def _in_short(item: Item) -> str:
    return f"{id_of(item)} has {sort_key_of(item)} left"


def _in_words(body: Body) -> str:
    """What a request is about, for the story."""
    keys = [body.get("Key"), body.get("Item")]
    keys += [
        each.get("PutRequest", {}).get("Item") or each["DeleteRequest"]["Key"]
        for requests in body.get("RequestItems", {}).values()
        for each in requests
    ]
    places = [f"{each['pk']['S'][2:]} {each['sk']['S']}" for each in keys if each]
    expressions = [
        str(x) for x in body.get("ExpressionAttributeValues", {}).items() if x[0] in {":c", ":up"}
    ]
    expressions += [body[x] for x in ("UpdateExpression", "KeyConditionExpression") if x in body]
    entries = [str(each.get("MessageBody", each)) for each in body.get("Entries", ())]
    return ", ".join([*places, *entries, *expressions])
