"""Rewinding a failed instance, and with it the children that it waits for.

One conditional append is the rewind; no function is needed for it. Whoever leads the instance next
sees to its children, again and again until a turn follows: one that failed is rewound, too, one
that has ended meanwhile tells its end once more. What a rewind of the parent has caused is marked
by it, so that it is done once.
"""

from __future__ import annotations

from contextlib import suppress

from bindings.client import RuntimeStatus
from bindings.errors import ClientError, InstanceNotFoundError, InstanceStateError
from host.core import history, ids
from host.core.effects import Outbound, answer_of
from host.core.history import ParentInstance
from host.core.instance_state import InstanceState
from host.core.records import Effects, Instance, Snapshot
from host.core.rewinding import can_rewind, rewind
from host.core.rewound import RewoundLedger
from host.engine.parts import EngineParts
from host.engine.together import together
from host.errors import Conflict, DamagedDataError, StorageError
from host.logs import HostLog

_logger = HostLog("funchost.engine")

ATTEMPTS = 20
"""How often an instance is looked at anew because others changed it meanwhile."""


async def rewind_instance(
    parts: EngineParts,
    instance_id: str,
    reason: str,
    *,
    cause: str = "",
    run_id: str | None = None,
) -> None:
    """Have a failed instance go on; for one `cause` once, however often it is asked for.

    `run_id` is the run that is meant; None for whichever is there. Raises `InstanceNotFoundError`,
    or `InstanceStateError` if it has not failed.
    """
    for _ in range(ATTEMPTS):
        snapshot = await parts.store.load(instance_id)
        if snapshot is None or run_id not in {None, snapshot.instance.run_id}:
            raise InstanceNotFoundError(instance_id)
        if cause and _was_caused(snapshot, cause):
            return
        check_failed(snapshot.instance)
        if await _rewind(parts, snapshot, reason, cause):
            await _check_stored(parts, instance_id)
            return
    raise StorageError(f"'{instance_id}' changes whenever it is read.")


def check_failed(row: Instance) -> None:
    """Raise `InstanceStateError` for the row of what has not failed."""
    if row.status is not RuntimeStatus.FAILED:
        raise InstanceStateError(row.instance_id, row.status, "rewind", finished=row.is_finished)


async def rewind_children(parts: EngineParts, state: InstanceState) -> None:
    """See to it that a rewound instance hears of the children that it waits for."""
    number = state.ledger.next_number - 1
    cause = ids.rewind_id(state.execution_id, number)
    children = state.unanswered_children()
    if children:
        await together([_see_to(parts, state, child, cause) for child in children])


async def _see_to(
    parts: EngineParts,
    state: InstanceState,
    child: history.SubOrchestrationInstanceCreated,
    cause: str,
) -> None:
    for _ in range(ATTEMPTS):
        try:
            snapshot = await parts.store.load(child.instance_id)
        except DamagedDataError as error:
            _logger.warning("'%s' waits for what is damaged: %s", state.instance_id, error)
            return
        if snapshot is None or not _is_child(snapshot.instance.parent, state, child.task_id):
            return  # its start was refused, or its id was given to another: that is told
        its = InstanceState(snapshot)
        has_failed = snapshot.instance.status is RuntimeStatus.FAILED
        is_new = isinstance(its.ledger, RewoundLedger) and cause in its.ledger.causes
        if has_failed and not (is_new and can_rewind(its)):
            if await _rewind(parts, snapshot, "Its parent was rewound.", cause):
                return
            continue
        end = its.ledger.end
        if isinstance(end, history.ExecutionCompleted) and its.row.parent is not None:
            message_id = ids.repeated_message_id(its.execution_id, cause)
            again = answer_of(its.row.parent, end, message_id)
            with suppress(ClientError):  # nobody waits for it any more
                await parts.store.send(again.instance_id, again.message)
                await parts.hints.send([again.instance_id])
        return  # if it has not ended, it will tell


def _is_child(parent: ParentInstance | None, state: InstanceState, task_id: int) -> bool:
    return parent is not None and (parent.instance_id, parent.execution_id, parent.task_id) == (
        state.instance_id,
        state.execution_id,
        task_id,
    )


async def _rewind(parts: EngineParts, snapshot: Snapshot, reason: str, cause: str = "") -> bool:
    """Rewind what the row says to have failed; False if others have changed it, or do so."""
    state = InstanceState(snapshot)
    instance_id = state.instance_id
    if can_rewind(state):
        commit = rewind(snapshot, parts.clock.now(), reason, cause)
        try:
            await parts.hints.send_after(parts.store.commit(commit), instance_id)
        except Conflict:
            return False
        await _hint(parts, commit.effects)
        return True
    if not state.lacks_revival:
        return False  # the row was read later than the history
    # Somebody stored a rewind, and ended before the row said so.
    effects = state.revive()
    try:
        await parts.hints.send_after(parts.store.apply(effects), instance_id)
    except Conflict:
        return False
    await _hint(parts, effects)
    return True


def _was_caused(snapshot: Snapshot, cause: str) -> bool:
    """Whether it was rewound for this, and its row says so."""
    state = InstanceState(snapshot)
    is_known = isinstance(state.ledger, RewoundLedger) and cause in state.ledger.causes
    return is_known and not state.lacks_revival


async def _hint(parts: EngineParts, effects: Effects) -> None:
    parts.notice_alarm_of(effects)
    addressees = Outbound(effects.starts, effects.messages).addressees
    if addressees:
        await parts.hints.send(addressees)


async def _check_stored(parts: EngineParts, instance_id: str) -> None:
    """A purge may have come in between: then nothing was rewound."""
    if await parts.store.get(instance_id) is None:
        raise InstanceNotFoundError(instance_id)
