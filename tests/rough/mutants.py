"""Defects that only a rough AWS shows, each a snippet that is replaced by another."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from tests.rough.trouble import Trouble
from tests.simulation.mutants import Mutation


class RoughMutation(NamedTuple):
    """A defect, and the trouble that shows it."""

    kinds: Set[Trouble]
    name: str
    path: str
    old: str
    new: str

    @property
    def mutation(self) -> Mutation:
        """The defect by itself."""
        return Mutation(self.name, self.path, self.old, self.new)


MUTATIONS = (
    RoughMutation(
        {Trouble.AWAY},
        "a hold that is over is taken for good",
        "host/storage/aws/queues/holds.py",
        "        return hold is not None and self._clock.monotonic() < hold.until\n",
        "        return hold is not None\n",
    ),
    RoughMutation(
        {Trouble.THROTTLED_ENTRIES},
        "an entry's throttling is final",
        "host/storage/aws/queues/batching.py",
        "            if problem.kind in _REFUSED:\n",
        "            if problem.kind in _REFUSED or problem.kind is Kind.THROTTLED:\n",
    ),
    RoughMutation(
        {Trouble.EMPTY_PAGES},
        "a page without items is taken for the end",
        "host/storage/aws/table/table.py",
        "            if rest is None or len(found) == limit:\n",
        '            if rest is None or len(found) == limit or not answer["Items"]:\n',
    ),
    RoughMutation(
        {Trouble.UNPROCESSED},
        "what a batch write leaves undone is forgotten",
        "host/storage/aws/table/table.py",
        "            if not left:\n                return\n",
        "            return\n",
    ),
    RoughMutation(
        {Trouble.EXPIRED_KEYS},
        "keys that are refused are never looked for again",
        "host/storage/aws/wire/client.py",
        "            await self._credentials.renew(keys)\n",
        "            await self._credentials.keys()\n",
    ),
    RoughMutation(
        {Trouble.FAILING},
        "a start that failed after it was stored is hinted at by nobody",
        "host/engine/hints.py",
        "(StorageError, asyncio.CancelledError):\n            self.owe([instance_id])\n",
        "(StorageError, asyncio.CancelledError):\n",
    ),
    RoughMutation(
        {Trouble.AWAY},
        "a hint that the queue did not take is not owed",
        "host/engine/hints.py",
        "self.owe(instance_ids, is_recovery=is_recovery)\n            self._store_watch",
        "self._store_watch",
    ),
    RoughMutation(
        {Trouble.FAILING},
        "an answer of a balancer is final",
        "host/storage/aws/wire/problems.py",
        "    return Kind.FAILING if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Kind.REFUSED\n",
        "    return Kind.FAILING if code and status >= 500 else Kind.REFUSED\n",
    ),
    RoughMutation(
        {Trouble.AWAY},
        "each failure of the store is a line",
        "host/engine/store_watch.py",
        "        _logger.debug(text, subject, error)\n",
        "        _logger.warning(text, subject, error)\n",
    ),
    RoughMutation(
        {Trouble.THROTTLED},
        "a code that tells of throttling is not known",
        "host/storage/aws/wire/problems.py",
        '            "RequestLimitExceeded",\n',
        "",
    ),
    RoughMutation(
        {Trouble.CUT_BEFORE},
        "who cannot be reached has refused",
        "host/storage/aws/wire/problems.py",
        "_UNANSWERED = frozenset({Kind.UNREACHABLE, ",
        "_UNANSWERED = frozenset({",
    ),
    RoughMutation(
        {Trouble.DEAD_POLLS},
        "a poll is broken off at stop",
        "host/storage/aws/queues/polls.py",
        "            async with asyncio.timeout(patience_s):\n",
        "            async with asyncio.timeout(0):\n",
    ),
    RoughMutation(
        {Trouble.LAGGING_INDEXES},
        "an alarm that the index does not show is not rung",
        "host/engine/shared_alarms.py",
        "        now, known = self._clock.now(), self._others\n",
        "        now, known = self._clock.now(), self._others\n"
        "        shown = {each.instance_id for each in alarms}\n"
        "        self._own = {x: due for x, due in self._own.items() if x in shown}\n",
    ),
    RoughMutation(
        {Trouble.SLOW},
        "a row that lands late replaces whatever is there by then",
        "host/storage/aws/table/row_changes.py",
        "    conditions = [\n"
        "        _IS_UNFINISHED,\n"
        '        f"(#g < :g OR (#g = :g AND #x = :x{order}))",\n'
        "    ]\n",
        '    conditions = ["#r = :r"]\n    del order\n',
    ),
    RoughMutation(
        {Trouble.LOST_HINTS},
        "whoever was led to a wait is never looked at",
        "host/storage/aws/table/recovery.py",
        "        if led is Led.TO_A_WAIT and sought is not Sought.ALL:\n",
        "        if led is Led.TO_A_WAIT:\n",
    ),
    RoughMutation(
        {Trouble.CUT_AFTER},
        "who lost an answer takes another's turn for its own",
        "host/storage/aws/table/turns.py",
        "if not (error.may_be_own and await self._is_own(_key_of(commit), write_id)):",
        "if not error.may_be_own:",
    ),
    RoughMutation(
        {Trouble.DOUBLE_HINTS},
        "a work item is run without a lease",
        "host/storage/aws/table/leases.py",
        'may_be_taken = "#r = :r AND (',
        'may_be_taken = "attribute_not_exists(#pk) OR #r = :r AND (',
    ),
    RoughMutation(
        {Trouble.LATE_HINTS},
        "a hint is thought to wait behind a hold that has ended",
        "host/storage/aws/queues/holds.py",
        "                del self._of_instances[hold.instance_id]\n",
        "                pass\n",
    ),
)
