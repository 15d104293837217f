"""What became of each blob that a function is triggered by: small records in the hub.

Rules of this file: a receipt is about one version of a blob (its ETag). What it says is in the hub
before anybody acts on it; of what is known here nothing is read again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import uuid4

from bindings.kinds.services import HubRecord, HubRecords

_PAGE: Final = 1000


class Outcome(StrEnum):
    """What became of a version of a blob."""

    TRIED = "tried"
    """It runs, or failed and is tried again, or its host died."""
    DONE = "done"
    POISON = "poison"
    """It failed too often."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one version of a blob."""

    etag: str
    outcome: Outcome
    tries: int
    """How often it was begun."""


class Receipts:
    """The receipts of one function for one container. All methods may raise `FunchostError`."""

    def __init__(self, records: HubRecords, function_name: str, container: str) -> None:
        self._records = records
        self._prefix = f"{function_name.lower()}/{container}/"
        self._found: dict[str, Receipt] = {}

    async def load(self) -> None:
        """Read all that there are."""
        self._found.clear()
        after: str | None = self._prefix
        while after is not None:
            page, after = await self._records.page(after, _PAGE)
            for key, record in page.items():
                if not key.startswith(self._prefix):
                    return
                self._take(record)

    def get(self, name: str, etag: str) -> Receipt | None:
        """The receipt for this version of a blob."""
        found = self._found.get(name)
        return found if found is not None and found.etag == etag else None

    def is_final(self, name: str, etag: str) -> bool:
        """Whether nothing more is done about this version of a blob."""
        receipt = self.get(name, etag)
        return receipt is not None and receipt.outcome is not Outcome.TRIED

    def names(self) -> list[str]:
        """The blobs that there is a receipt for."""
        return list(self._found)

    def count(self, outcome: Outcome) -> int:
        """For how many blobs this is what became of them."""
        return sum(each.outcome is outcome for each in self._found.values())

    async def put(self, name: str, receipt: Receipt) -> None:
        """Write down what became of a blob."""
        said = {
            "name": name,
            "etag": receipt.etag,
            "outcome": receipt.outcome.value,
            "tries": receipt.tries,
        }
        data = json.dumps(said, separators=(",", ":")).encode()
        await self._records.put(self._key(name), HubRecord(stamp=uuid4().hex, data=data))
        self._found[name] = receipt

    async def forget(self, name: str) -> None:
        """Remove the receipt of a blob that is gone."""
        await self._records.remove(self._key(name))
        self._found.pop(name, None)

    def _key(self, name: str) -> str:
        """Keys are short, and names of blobs are not."""
        return self._prefix + sha256(name.encode()).hexdigest()[:32]

    def _take(self, record: HubRecord) -> None:
        try:
            said = json.loads(record.data)
            receipt = Receipt(str(said["etag"]), Outcome(said["outcome"]), int(said["tries"]))
            self._found[str(said["name"])] = receipt
        except (ValueError, KeyError, TypeError):
            return  # the blob is run again
