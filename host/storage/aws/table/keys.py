"""The keys of a hub's table: where everything lies, and in which order.

Rules of this file: pure, and the only place that knows a key. All of one instance has one partition
key and lies in an order that makes one read enough:

| `pk`     | `sk`                       |                                                        |
|----------|----------------------------|--------------------------------------------------------|
| `i#<id>` | `a#<execution>#<task>`     | lease                                                  |
|          | `m#!<arrival>#<id>`        | message, the newest first (`m#<id>`: older versions)   |
|          | `meta`                     | row                                                    |
|          | `t#<execution>#<number>`   | batch; of an entity the only one, under number 0       |
|          | `x#<token>#<n>`            | chunk of a long record                                 |
|          | `x#planting#0000`          | claim of whoever plants the instance                   |
| `r#<kind>` | `<key>`                  | named record                                           |
| `hub`    | `format`                   | the version of this layout, and its numbers            |
|          | `lock#<name>`              | named lock                                             |

Whoever reads in that order sees a history that is never behind the row and the inbox it saw, a
result that took the place of a lease, and of the messages none without those that arrived before
it, whatever is written meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from host.core.records import Lease
from host.storage import rules

Value: TypeAlias = dict[str, Any]
"""One typed value, as DynamoDB's JSON has it."""
Item: TypeAlias = dict[str, Value]
Key: TypeAlias = dict[str, Value]

HUB: Value = {"S": "hub"}
FORMAT_KEY: Key = {"pk": HUB, "sk": {"S": "format"}}

META = "meta"
LEASES, MESSAGES, BATCHES = "a#", "m#", "t#"
CHUNKS = "x#"
CLAIM = f"{CHUNKS}planting#0000"
"""Where whoever plants an instance says so."""
_LOCKS = "lock#"
_RECORDS = "r#"
_BY_ARRIVAL = f"{MESSAGES}!"
_MAX_SORT_KEY_BYTES = 1024
_MOMENT_DIGITS = 16
_MAX_MOMENT = 10**_MOMENT_DIGITS - 1
_SHORT = "!"


class BatchKey(NamedTuple):
    """The key of a batch within its instance."""

    execution_id: str
    number: int


def text(value: str) -> Value:
    """A string."""
    return {"S": value}


def number(value: int) -> Value:
    """A number."""
    return {"N": str(value)}


def moment(value: datetime) -> Value:
    """A moment."""
    return number(rules.micros(value))


def key_of(instance_id: str, sort_key: str) -> Key:
    """The key of an item of an instance."""
    return {"pk": text(f"i#{instance_id}"), "sk": text(sort_key)}


def id_of(item: Item) -> str:
    """The instance that an item, or an entry of an index, belongs to."""
    return read_text(item, "pk")[2:]


def sort_key_of(item: Item) -> str:
    """The sort key of an item."""
    return read_text(item, "sk")


def message_key(message_id: str, arrival: int) -> str:
    """The sort key of a message that arrived at this moment: what arrived last lies first."""
    return f"{_BY_ARRIVAL}{sortable(_MAX_MOMENT - arrival)}#{message_id}"


def message_id_of(sort_key: str) -> str:
    """The id of a message, from its sort key."""
    if sort_key.startswith(_BY_ARRIVAL):
        return sort_key[len(_BY_ARRIVAL) :].partition("#")[2]
    return sort_key[len(MESSAGES) :]


def arrival_of(item: Item) -> int:
    """When a message arrived, in microseconds; 0 if it does not say."""
    stored = str(item.get("at", {}).get("N", ""))
    return int(stored) if stored.isdecimal() else 0


def batch_sort_key(batch: BatchKey) -> str:
    """The sort key of a batch."""
    return f"{BATCHES}{batch.execution_id}#{batch.number:010d}"


def lease_key(lease: Lease) -> str:
    """The sort key of a lease."""
    return f"{LEASES}{lease.execution_id}#{lease.task_id:010d}"


def lock_key(name: str) -> Key:
    """The key of a named lock."""
    return {"pk": HUB, "sk": text(f"{_LOCKS}{name}")}


def record_key(kind: str, key: str) -> Key:
    """The key of a named record."""
    return {"pk": records_of(kind), "sk": text(key)}


def records_of(kind: str) -> Value:
    """What all records of a kind lie under."""
    return text(f"{_RECORDS}{kind}")


def lock_name_of(item: Item) -> str:
    """The name of a lock, from its item."""
    return sort_key_of(item)[len(_LOCKS) :]


def end_of(prefix: str) -> str:
    """The first text after all sort keys with this prefix, which ends in `#`."""
    return f"{prefix[:-1]}$"


def sortable(value: int) -> str:
    """Microseconds as text that sorts as they do; what no hub ever sees is cut off."""
    return f"{min(max(value, 0), _MAX_MOMENT):016d}"


LATEST = sortable(_MAX_MOMENT)
"""Sorts after every moment."""


def indexed(value: datetime, instance_id: str) -> str:
    """A sort key of an index: by time, then by instance."""
    return cut(f"{sortable(rules.micros(value))}#{instance_id}")


def alarm_key(due: datetime, instance_id: str, *, is_short: bool) -> str:
    """A sort key of the index of alarms: as `indexed`, and whether the alarm is a short one."""
    sign = _SHORT if is_short else "#"
    return cut(f"{sortable(rules.micros(due))}{sign}{instance_id}")


def is_short(sort_key: str) -> bool:
    """Whether the key of an alarm says that it is a short one; older versions said so of none."""
    return sort_key[_MOMENT_DIGITS : _MOMENT_DIGITS + 1] == _SHORT


def cut(key: str) -> str:
    """The key in as many bytes as a sort key may have; the full id stands in `pk`."""
    return key.encode()[:_MAX_SORT_KEY_BYTES].decode(errors="ignore")


def part_of(instance_id: str, parts: int) -> str:
    """The part of every index, of so many, that holds an instance."""
    digest = hashlib.blake2b(instance_id.encode(), digest_size=2).digest()
    return str(int.from_bytes(digest, "big") % parts)


@lru_cache(maxsize=16)
def part_names(parts: int) -> Sequence[str]:
    """All parts of an index that has so many."""
    return tuple(map(str, range(parts)))


def read_text(item: Item, name: str) -> str:
    """A string attribute."""
    value: str = item[name]["S"]
    return value


def read_number(item: Item, name: str) -> int:
    """A number attribute."""
    return int(item[name]["N"])
