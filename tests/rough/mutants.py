"""Defects that only a rough AWS shows, each a snippet that is replaced by another."""

from __future__ import annotations

from tests.simulation.mutants import Mutation

MUTATIONS = (
    Mutation(
        "a hold that is over is taken for good",
        "host/storage/aws/queues/holds.py",
        "        return hold is not None and self._clock.monotonic() < hold.until\n",
        "        return hold is not None\n",
    ),
    Mutation(
        "an entry's throttling is final",
        "host/storage/aws/queues/batching.py",
        "            if problem.kind in _REFUSED:\n",
        "            if problem.kind in _REFUSED or problem.kind is Kind.THROTTLED:\n",
    ),
    Mutation(
        "a turn whose answer was lost is taken for another's",
        "host/storage/aws/table/turns.py",
        "if not (error.may_be_own and await self._is_own(_key_of(commit), write_id)):",
        "if not (error.may_be_own and len(write_id) < 0):",
    ),
    Mutation(
        "an answer that was lost is forgotten at the next attempt",
        "host/storage/aws/wire/client.py",
        "            may_be_own = may_be_own or outcome.may_have_landed\n",
        "            may_be_own = may_be_own or attempt < 0\n",
    ),
    Mutation(
        "a page without items is taken for the end",
        "host/storage/aws/table/table.py",
        "            if rest is None or len(found) == limit:\n",
        '            if rest is None or len(found) == limit or not answer["Items"]:\n',
    ),
    Mutation(
        "what a batch write leaves undone is forgotten",
        "host/storage/aws/table/table.py",
        "            if not left:\n                return\n",
        "            return\n",
    ),
    Mutation(
        "keys that are refused are never looked for again",
        "host/storage/aws/wire/client.py",
        "            await self._credentials.renew(keys)\n",
        "            await self._credentials.keys()\n",
    ),
    Mutation(
        "a start that failed after it was stored is hinted at by nobody",
        "host/engine/hints.py",
        "(StorageError, asyncio.CancelledError):\n            self.owe([instance_id])\n",
        "(StorageError, asyncio.CancelledError):\n",
    ),
    Mutation(
        "a hint that the queue did not take is not owed",
        "host/engine/hints.py",
        "self.owe(instance_ids, is_recovery=is_recovery)\n            self._store_watch",
        "self._store_watch",
    ),
    Mutation(
        "an answer of a balancer is final",
        "host/storage/aws/wire/problems.py",
        "    return Kind.FAILING if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Kind.REFUSED\n",
        "    return Kind.FAILING if code and status >= 500 else Kind.REFUSED\n",
    ),
    Mutation(
        "throttling is final",
        "host/storage/aws/wire/retries.py",
        "    return kind in _FINAL\n",
        "    return kind in _FINAL or kind is Kind.THROTTLED\n",
    ),
    Mutation(
        "each failure of the store is a line",
        "host/engine/store_watch.py",
        "        _logger.debug(text, subject, error)\n",
        "        _logger.warning(text, subject, error)\n",
    ),
)
