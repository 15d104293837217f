"""A table of DynamoDB in memory: its operations, its indexes, and what they do not promise.

Rules of this file: an operation is one step, as it is for one item there. A page may end early,
even before its first item, a batch may leave items undone, and an index is behind its table: by a
moment always, by seconds when a fault says so. Items stay as they came over the wire.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Context
from random import Random
from typing import Any, NamedTuple, TypeAlias

from tests.simulation.dynamo_expressions import (
    Item,
    RefusalError,
    Values,
    change,
    condition,
    words,
)
from tests.simulation.faults import Fault, Faults
from tests.simulation.loop import VirtualLoop

Body: TypeAlias = dict[str, Any]
Id: TypeAlias = tuple[str, str]
Order: TypeAlias = Callable[[Item], tuple[str, ...]]
Watch: TypeAlias = Callable[[Item | None, Item | None], None]
"""Hears of every change of an item: what was, what is."""

MAX_BATCH = 25
INDEX_LAG_S = 0.02


class _Keys(NamedTuple):
    partition: str
    order: str

    def of(self, item: Item) -> Item:
        return {name: item[name] for name in self if name in item}

    def are_in(self, item: Item | None) -> bool:
        """Whether the item has an entry in the index of these keys."""
        return item is not None and all(name in item for name in self)


class _Index:
    """An index: copies of those items that have its keys."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.keys = _Keys(*(each["AttributeName"] for each in definition["KeySchema"]))
        copied = definition["Projection"].get("NonKeyAttributes", ())
        self._columns = {*self.keys, "pk", "sk", *copied}
        self.entries: dict[Id, Item] = {}

    def take(self, id_: Id, item: Item | None) -> None:
        """The item changed, a while ago."""
        if item is None or not self.keys.are_in(item):
            self.entries.pop(id_, None)
        else:
            self.entries[id_] = {k: v for k, v in item.items() if k in self._columns}


class SimulatedTable:
    """One table, as its definition has it."""

    def __init__(
        self,
        definition: Mapping[str, Any],
        *,
        loop: VirtualLoop,
        seed: int,
        faults: Faults,
        watch: Watch,
    ) -> None:
        self._name: str = definition["TableName"]
        self.keys = _Keys(*(each["AttributeName"] for each in definition["KeySchema"]))
        self._indexes = {
            each["IndexName"]: _Index(each) for each in definition["GlobalSecondaryIndexes"]
        }
        self._loop = loop
        self._random = Random(f"{seed}/table")
        self._faults = faults
        self._watch = watch
        self._outside = Context()
        self._partitions: dict[str, dict[str, Item]] = defaultdict(dict)
        self._versions: Counter[Id] = Counter()
        self._seen: Counter[tuple[str, Id]] = Counter()
        self._operations: dict[str, Callable[[Body], Body]] = {
            "GetItem": self._get,
            "PutItem": self._put,
            "UpdateItem": self._update,
            "DeleteItem": self._delete,
            "Query": self._query,
            "Scan": self._scan,
            "BatchWriteItem": self._write_batch,
            "TransactWriteItems": self._delete_together,
        }

    def do(self, operation: str, body: Body) -> Body:
        """One operation. Raises `RefusalError`."""
        if body.get("TableName", self._name) != self._name:
            raise RefusalError("ResourceNotFoundException")
        _check_words(body)
        return self._operations[operation](body)

    def items(self) -> Iterator[Item]:
        """All items, in order of their keys."""
        for _, partition in sorted(self._partitions.items()):
            yield from (item for _, item in sorted(partition.items()))

    # ---- operations on one item ---------------------------------------------------------------

    def _get(self, body: Body) -> Body:
        item = self._find(self._id(body["Key"]))
        return {} if item is None else {"Item": _projected(item, body)}

    def _put(self, body: Body) -> Body:
        id_ = self._id(body["Item"])
        self._check(id_, body)
        old = self._find(id_)
        self._store(id_, body["Item"])
        is_wanted = body.get("ReturnValues") == "ALL_OLD" and old is not None
        return {"Attributes": old} if is_wanted else {}

    def _update(self, body: Body) -> Body:
        id_ = self._id(body["Key"])
        self._check(id_, body)
        old = self._find(id_) or {}
        update = change(body["UpdateExpression"])
        new = update.apply({**old, **body["Key"]}, body.get("ExpressionAttributeValues", {}))
        self._store(id_, new)
        if body.get("ReturnValues") != "UPDATED_OLD":
            return {}
        return {"Attributes": {k: v for k, v in old.items() if k in update.names}}

    def _delete(self, body: Body) -> Body:
        id_ = self._id(body["Key"])
        self._check(id_, body)
        self._store(id_, None)
        return {}

    def _check(self, id_: Id, body: Body) -> None:
        expression = body.get("ConditionExpression")
        values: Values = body.get("ExpressionAttributeValues", {})
        if expression and not condition(expression)(self._find(id_) or {}, values):
            raise RefusalError("ConditionalCheckFailedException", "The conditional request failed")

    # ---- operations on many -------------------------------------------------------------------

    def _write_batch(self, body: Body) -> Body:
        requests: list[Body] = body["RequestItems"][self._name]
        if not 0 < len(requests) <= MAX_BATCH:
            raise RefusalError("ValidationException", "Too many items, or none")
        done = len(requests)
        if self._faults.strikes(Fault.PARTIAL_BATCH):
            done = self._random.randint(0, len(requests))
        ids = [self._id_of_request(each) for each in requests]
        if len(set(ids)) < len(ids):
            raise RefusalError(
                "ValidationException", "Provided list of item keys contains duplicates"
            )
        for id_, request in list(zip(ids, requests, strict=True))[:done]:
            self._store(id_, request.get("PutRequest", {}).get("Item"))
        return {"UnprocessedItems": {self._name: requests[done:]} if requests[done:] else {}}

    def _delete_together(self, body: Body) -> Body:
        deletions: list[Body] = [each["Delete"] for each in body["TransactItems"]]
        for each in deletions:
            _check_words(each)
        reasons = [self._reason(each) for each in deletions]
        if any(reasons):
            text = ", ".join(each or "None" for each in reasons)
            raise RefusalError(
                "TransactionCanceledException",
                "Transaction cancelled, please refer cancellation reasons for specific reasons "
                f"[{text}]",
            )
        for each in deletions:
            self._store(self._id(each["Key"]), None)
        return {}

    def _reason(self, body: Body) -> str:
        """Why a part of a transaction cannot be done; empty if it can."""
        try:
            self._check(self._id(body["Key"]), body)
        except RefusalError:
            return "ConditionalCheckFailed"
        return ""

    def _id_of_request(self, request: Body) -> Id:
        put = request.get("PutRequest")
        return self._id(put["Item"] if put else request["DeleteRequest"]["Key"])

    def _query(self, body: Body) -> Body:
        if body.get("IndexName", "") not in {"", *self._indexes}:
            raise RefusalError("ValidationException", "The table does not have this index")
        index = self._indexes.get(body.get("IndexName", ""))
        if index is not None and body.get("ConsistentRead"):
            raise RefusalError("ValidationException", "No consistent reads of an index")
        values: Values = body["ExpressionAttributeValues"]
        matches = condition(body["KeyConditionExpression"])
        items = self._partition(values) if index is None else list(index.entries.values())
        order = _order(self.keys if index is None else index.keys)
        found = sorted((item for item in items if matches(item, values)), key=order)
        if not body["ScanIndexForward"]:
            found.reverse()
        if "ExclusiveStartKey" in body:
            found = _rest(found, order, body)
        if found and self._faults.strikes(Fault.EMPTY_PAGE):
            first = self.keys.of(found[0]) | (index.keys.of(found[0]) if index else {})
            name = (index or self).keys.order
            return {"Items": [], "LastEvaluatedKey": _ahead_of(first, name, body)}
        page = found[: self._page_size(len(found), body.get("Limit"))]
        answer: Body = {"Items": [_projected(item, body) for item in page]}
        is_full = len(page) == body.get("Limit")
        if page and (is_full or len(page) < len(found)):
            keys = self.keys.of(page[-1])
            answer["LastEvaluatedKey"] = keys | (index.keys.of(page[-1]) if index else {})
        return answer

    def _scan(self, body: Body) -> Body:
        found = list(self.items())
        if "ExclusiveStartKey" in body:
            start = self._id(body["ExclusiveStartKey"])
            found = [item for item in found if self._id(item) > start]
        page = found[: self._page_size(len(found), None)]
        answer: Body = {"Items": [_projected(item, body) for item in page]}
        if len(page) < len(found):
            answer["LastEvaluatedKey"] = self.keys.of(page[-1])
        return answer

    def _partition(self, values: Values) -> Sequence[Item]:
        return list(self._partitions.get(values[":pk"]["S"], {}).values())

    def _page_size(self, found: int, limit: int | None) -> int:
        size = found if limit is None else min(found, limit)
        if size > 1 and self._faults.strikes(Fault.SHORT_PAGE):
            size = self._random.randrange(1, size)
        return size

    # ---- inside -------------------------------------------------------------------------------

    def _id(self, key: Item) -> Id:
        return key[self.keys.partition]["S"], key[self.keys.order]["S"]

    def _find(self, id_: Id) -> Item | None:
        return self._partitions[id_[0]].get(id_[1])

    def _store(self, id_: Id, item: Item | None) -> None:
        partition = self._partitions[id_[0]]
        old = partition.get(id_[1])
        if item is None:
            partition.pop(id_[1], None)
        else:
            partition[id_[1]] = item
        self._versions[id_] += 1
        for name, index in self._indexes.items():
            if index.keys.are_in(old) or index.keys.are_in(item):
                lag_s = self._random.expovariate(1 / INDEX_LAG_S)
                if self._faults.strikes(Fault.INDEX_LAG):
                    lag_s += self._faults.between(Fault.INDEX_LAG, 0.5, 10)
                self._loop.call_later(
                    lag_s, self._index, name, id_, item, self._versions[id_], context=self._outside
                )
        self._watch(old, item)

    def _index(self, name: str, id_: Id, item: Item | None, version: int) -> None:
        if version > self._seen[name, id_]:
            self._seen[name, id_] = version
            self._indexes[name].take(id_, item)


def _rest(found: Sequence[Item], order: Order, body: Body) -> list[Item]:
    """What comes after the key of the last page, which need not be there any more."""
    start = order(body["ExclusiveStartKey"])
    if body["ScanIndexForward"]:
        return [item for item in found if order(item) > start]
    return [item for item in found if order(item) < start]


def _ahead_of(first: Item, name: str, body: Body) -> Item:
    """Where a query goes on that has found nothing yet: ahead of the first that it will find."""
    if "ExclusiveStartKey" in body:
        return dict(body["ExclusiveStartKey"])
    key = first[name]["S"]
    return first | {name: {"S": key[:-1] if body["ScanIndexForward"] else f"{key}~"}}


def _order(keys: _Keys) -> Order:
    names = (keys.order, "pk", "sk")
    return lambda item: tuple(item[name]["S"] for name in names)


def _projected(item: Item, body: Body) -> Item:
    columns = body.get("ProjectionExpression")
    if columns is None:
        return item
    names = {each[1:] for each in words(columns, "#")}
    return {name: value for name, value in item.items() if name in names}


_EXPRESSIONS = (
    "ConditionExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)


def _check_words(body: Body) -> None:
    """Names and values must be defined, and all that are defined must be used."""
    used = " ".join(body[each] for each in _EXPRESSIONS if each in body)
    for sign, given in (("#", "Names"), (":", "Values")):
        defined = body.get(f"ExpressionAttribute{given}", {})
        if words(used, sign) != defined.keys():
            raise RefusalError(
                "ValidationException", f"{given} that are unused or undefined: {used}"
            )
