"""A session: the time this host holds one instance's wake-up and leads the instance through turns.

The way of a session: open (the cached instance, or load and replay), then again and again take a
turn with what there is, commit it, see to what follows from it; when nothing is left, settle, give
the instance to the cache and finish the wake-up. On `Conflict`, and when the store failed, what is
in memory of the instance is dropped and the session begins anew; its activities run on. While
activities run here the session waits for their results; one that takes long is leased, and when
nothing came for a while all are, and run on without a session.

Code that lives elsewhere is asked, and the session waits for the answer while it looks after its
hold and its mail. An answer that does not come, or is nonsense, is like a store that failed: what
is in memory is dropped, and the same is asked again.

The hold of the wake-up is the right to do all that. It is looked at before every turn, effect and
activity; when it is over the session ends, and what runs without a lease is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace

from host.core.chain import has_ended, left_over_executions, version_of
from host.core.effects import Outbound
from host.core.history import ContinueAsNew, ExecutionTerminated
from host.core.instance_state import InstanceState
from host.core.leases import has_vanished_holder, may_have_run
from host.core.led import Led
from host.core.ledger import BEFORE_ALL
from host.core.live_instance import LED_ELSEWHERE
from host.core.records import Commit, Effects, Instance, Message, Snapshot, Unawaited
from host.core.unawaited import UnawaitedLeases
from host.engine.apart import close
from host.engine.debouncing import begin, begins
from host.engine.holds import HoldOverError, pause_s
from host.engine.kinds import Kind, NoSlotError
from host.engine.observer import (
    InstanceEnded,
    InstanceStarted,
    InstanceTakenOver,
    TurnCommitted,
    TurnRefused,
)
from host.engine.parts import EngineParts
from host.engine.quarantine import is_pause_over
from host.engine.rewinding import rewind_children
from host.engine.session_activities import SessionActivities
from host.engine.unawaited import UnawaitedActivities
from host.engine.unknown import has_others
from host.errors import Conflict, DamagedDataError, ExecutorError, StorageError
from host.logs import HostLog
from host.storage.protocol import Applied, WakeUp
from host.storage.rules import ends_all_work

_logger = HostLog("funchost.engine")

T = TypeVar("T")

MAX_PASSED = 20
"""When a wake-up was passed on so often, its instance is blocked and says why."""


class _OldCodeError(Exception):
    """The app has changed: the instance is to be loaded anew."""


class Session:
    """One held wake-up. `lead` is run as a task; the other methods are called by the engine."""

    def __init__(self, parts: EngineParts, wakeup: WakeUp, *, is_excused: bool = False) -> None:
        """`is_excused`: the hint comes again because the store or the queue failed."""
        self.wakeup = wakeup
        self.instance_id = wakeup.instance_id
        self._parts = parts
        self._limits = parts.limits
        self._kind: Kind[Any, Any] = parts.kind_of(wakeup.instance_id)
        self._is_suspicious = wakeup.is_suspicious
        self._may_be_try = not is_excused
        self._share = 0
        """What this session takes of the room for suspects."""
        self._owes_try = False
        """Whether a try is to be noted before code runs, which waits for a slot of a limit."""
        self._has_mail = self._found_mail = True
        self._is_proven = False
        """Whether the copy in memory was found to be what the store has, since the hint came."""
        self._inbox: Sequence[Message] = ()
        self._is_held = partial(parts.queues.is_held, wakeup)
        self._activities = SessionActivities(parts, wakeup.instance_id, self._wake, self._is_held)
        self._live: Led | None = None
        self._has_lost_turn = False
        """Whether somebody else stored a turn in place of one of this session."""
        self._has_committed = False
        self._signal: asyncio.Future[None] | None = None
        self._quiet_since = self._mail_read_at = parts.clock.monotonic()
        self._mail_seen_at = BEFORE_ALL
        self._wants_park = self._wants_leases = self._is_put_off = False
        self._is_draining = self._lets_go = False
        self._renewal: asyncio.Future[None] | None = None
        """Done when no code is in memory any more that is older than the order to begin anew."""
        self.over = asyncio.Event()
        """Set when all that the host does with the wake-up is over."""
        self.leaves_work = False
        """Whether the host stopped before the session could do all that there was to do."""
        self.is_for_others = False
        """Whether nothing was done since only other hosts may have the orchestrator."""
        self.has_lost_hold = False
        """Whether it ended because its hint may be another host's by now."""

    # ---- called by the engine -----------------------------------------------------------------

    def nudge(self) -> None:
        """There is a message, or an alarm is due."""
        self._has_mail = True
        self._wake()

    def let_go(self) -> None:
        """End as soon as nothing is half done, and let whoever gets a new wake-up go on.

        What runs here runs on under leases. No queue lets one wake-up be held for ever.
        """
        if not self._lets_go:
            self._lets_go = True
            self._wake()

    def renew(self) -> asyncio.Future[None]:
        """Load the instance and its code anew as soon as nothing is half done: the app has changed.

        What runs here runs on. Gives what is done when there is no older code in memory any more.
        """
        if self._renewal is None:
            self._renewal = asyncio.get_running_loop().create_future()
            self._wake()
        return self._renewal

    def drain(self) -> None:
        """Begin nothing more, let what runs run on without the session, and end."""
        self._is_draining = True
        self._wake()

    def tick(self, now: float) -> None:
        """Look after a session that waits; `now` is monotonic."""
        options = self._parts.options
        if not self._is_draining and self._activities.are_old(now):
            self._wants_leases = True  # also of a session that is busy all the time
            self._wake()
        if self._signal is None:
            return
        if now - self._quiet_since >= options.park_after_s and not self._is_draining:
            self._wants_park = True
            self._wake()
        elif not self._is_held():
            self._wake()
        elif now - self._mail_read_at >= options.inbox_poll_s:
            self.nudge()

    # ---- the way of a session -----------------------------------------------------------------

    async def lead(self) -> None:
        """Do all there is to do.

        Raises `StorageError`, `ExecutorError`, and whatever a defect raises.
        """
        has_parked = False
        try:
            live = await self._lead_on()
            has_parked = live is not None and bool(live.state.leases) and not self._is_draining
        except HoldOverError:
            text = "The hold of '%s' is over: others go on with it."
            self._parts.lines.note(text, self.instance_id)
            self.has_lost_hold = True
            self._abandon()
        except BaseException:
            self._abandon()
            raise
        finally:
            if self._renewal is not None:
                self._is_renewed(self._renewal)
            self._leave_others(has_parked=has_parked)

    async def _lead_on(self) -> Led | None:
        """Lead it, anew after each failure that can be got over while the hold lasts."""
        failures = 0
        while True:
            try:
                live = self._live = await self._open()
                if live is None:
                    self._activities.abandon()
                else:
                    self._activities.adopt(live.state)
                    await self._lead(live)
                self._live = None
                return live
            except _OldCodeError:
                self._forget_all()
                self._check_hold()
                continue
            except Conflict:
                self._forget_all()
                await self._prove_hold()
            except DamagedDataError:
                raise
            except (StorageError, ExecutorError) as error:
                if self._is_draining or not self._activities.are_worth_keeping:
                    raise
                self._forget_all()
                failures += 1
                self._tell(error)
                await self._parts.clock.sleep(pause_s(failures))
            self._check_hold()
            self._is_suspicious = True

    def _tell(self, error: StorageError | ExecutorError) -> None:
        if isinstance(error, StorageError):
            text = "The store failed '%s'; its work goes on: %s"
            self._parts.store_watch.failed(text, self.instance_id, error)
        else:
            text = "'%s' is to be asked again, its work goes on: %s"
            self._parts.lines.warn(text, self.instance_id, error)

    async def _prove_hold(self) -> None:
        """Before a session goes on beside somebody who stored a turn, it asks whose turn it is.

        Raises `StorageError`.
        """
        if self._has_lost_turn:
            self._has_lost_turn = False
            await self._parts.queues.extend([self.wakeup])

    def _check_hold(self) -> None:
        if not self._is_held():
            raise HoldOverError

    def _is_renewed(self, renewal: asyncio.Future[None]) -> None:
        """Whatever code is begun from here on is new."""
        self._renewal = None
        if not renewal.done():
            renewal.set_result(None)

    async def _open(self) -> Led | None:
        self._check_hold()
        if self._renewal is not None:
            self._is_renewed(self._renewal)
        live = self._parts.cache.take(self.instance_id)
        if live is not None and (self._is_suspicious or self._is_to_be_loaded(live.state)):
            close(live)
            live = None
        return live if live is not None else await self._load()

    async def _load(self) -> Led | None:
        snapshot = await self._read()
        if snapshot is None:
            return None
        if self._is_for_others(snapshot):
            self.is_for_others = True
            return None
        if self._limits.are_set and await self._must_wait(snapshot):
            return None
        if self._is_try(snapshot):
            left = snapshot if self._share else await self._enter_quarantine(snapshot)
            if left is None:
                return None
            snapshot = await self._count_try(left)
        self._inbox, self._is_proven = snapshot.inbox, True
        return await self._revive(snapshot)

    async def _revive(self, snapshot: Snapshot, *, runs_code: bool = True) -> Led:
        """The instance in memory, and what its last turn may have left undone is done."""
        parts = self._parts
        self._check_hold()
        live: Led = await self._kind.revive(snapshot, self._answer, runs_code=runs_code)
        self._live, state = live, live.state
        self._activities.recall(state)
        if (self._is_suspicious or state.may_lack_effects) and not state.row.is_movable:
            effects = state.redo()
            self._check_hold()
            try:
                applied = await parts.store.apply(effects)
            except (StorageError, asyncio.CancelledError):
                self._owe(effects)
                raise
            parts.send_notices(effects.notices)
            await self._follow_up(state, applied, effects)
            await self._leave(state, effects.unawaited)
            if state.is_rewound:
                await rewind_children(parts, state)
        if not self._is_suspicious:
            return live
        is_old = state.ledger.next_number and not state.is_finished
        if is_old and InstanceTakenOver in parts.observers.wanted:
            parts.observers.tell(InstanceTakenOver(row=state.row))
        # Who sent something may have ended before it could hint at it.
        await parts.hints.send(state.addressees)
        return live

    async def _read(self) -> Snapshot | None:
        """What is stored, without what is left over; None if there is nothing to lead."""
        store = self._parts.store
        self._mail_seen_at = self._parts.clock.now()
        self._has_mail = False  # a nudge from here on means mail that the snapshot may not have
        snapshot = await store.load(self.instance_id)
        if snapshot is None:
            return None
        self._found_mail = bool(snapshot.inbox)
        of_run = Effects(instance_id=self.instance_id, run_id=snapshot.instance.run_id)
        for execution_id in left_over_executions(snapshot):
            # Somebody continued it as new and died before he could drop it.
            await store.apply(replace(of_run, drop_execution=execution_id))
        if not snapshot.instance.is_finished:
            return snapshot
        if self._limits.are_set:
            self._limits.instances.ended(snapshot.instance)
        parent = snapshot.instance.parent
        if self._is_suspicious and parent is not None:
            await self._parts.hints.send([parent.instance_id])
        await self._see_to_rest(snapshot, of_run)
        return None

    async def _see_to_rest(self, snapshot: Snapshot, of_run: Effects) -> None:
        """What is left of a finished instance: unawaited activities, and their alarm."""
        parts, unawaited = self._parts, UnawaitedLeases(snapshot.leases)
        activities = UnawaitedActivities(parts, unawaited)
        if ends_all_work(snapshot.instance):
            await activities.end()
        elif self._is_draining:
            self.leaves_work = activities.are_over()
        else:
            await activities.see_to()
        wake_at = unawaited.next_expiry()
        left = tuple(each.message_id for each in snapshot.inbox)
        if left or snapshot.wake_at != wake_at:
            effects = replace(of_run, consumed=left, wake_at=wake_at)
            await parts.store.apply(effects)
            parts.notice_alarm_of(effects)
        parts.expect_alarm(self.instance_id, wake_at)

    async def _enter_quarantine(self, snapshot: Snapshot) -> Snapshot | None:
        """Wait until its code may be tried. Orders need none of it, so they do not wait.

        What is stored by then; None if there is nothing to lead, or the host stops.
        """
        entering = asyncio.ensure_future(self._parts.quarantine.enter(snapshot.instance))
        entering.add_done_callback(lambda _: self._wake())
        try:
            while await self._take_orders(snapshot):
                while not (entering.done() or self._has_mail or self._is_draining or self._lets_go):
                    await self._wait()
                    self._check_hold()
                if (self._is_draining or self._lets_go) and not entering.done():
                    self.leaves_work = True
                    return None
                if not entering.done() and not await self._has_news(snapshot):
                    continue
                left = await self._read()
                if left is None or entering.done():
                    return left
                snapshot = left
            return None
        finally:
            if entering.done() and not entering.cancelled():
                self._share = entering.result()
            entering.cancel()
            self._quiet_since, self._wants_park = self._parts.clock.monotonic(), False

    async def _has_news(self, snapshot: Snapshot) -> bool:
        self._has_mail = False
        self._mail_read_at = self._parts.clock.monotonic()
        return tuple(await self._parts.store.read_inbox(self.instance_id)) != snapshot.inbox

    async def _take_orders(self, snapshot: Snapshot) -> bool:
        """Take in what needs no author code; False if that ended the instance.

        Of one that has ended the row is still to be written: only its code knows all of that.
        """
        if not snapshot.inbox or has_ended(snapshot):
            return True
        live = await self._revive(snapshot, runs_code=False)
        now = self._parts.clock.now()
        if live.state.row.is_movable and begins(live, snapshot.inbox, self._parts):
            await begin(self._parts, live.state)
        outcome = live.turn(now, snapshot.inbox)
        if isinstance(outcome, Commit):
            await self._commit(live.state, outcome)
            await self._finish(live)
            return not live.state.is_finished
        seen = live.state.row
        shown = live.state.show(now)
        if shown is not None:
            await self._apply_to(seen, shown)
        return True

    async def _must_wait(self, snapshot: Snapshot) -> bool:
        """Whether the instance, which has not begun, has no slot of its orchestrator's limit yet.

        A termination needs none, and who waits for its time does not wait for a slot meanwhile.
        """
        limited, row = self._limits.instances, snapshot.instance
        use = None if snapshot.batches else limited.use_of(row)
        if use is None or not self._knows(snapshot):
            return False
        at = row.scheduled_start_at
        is_later = at is not None and at > self._parts.clock.now()
        if is_later or any(isinstance(x.event, ExecutionTerminated) for x in snapshot.inbox):
            return False
        return not await limited.may_begin(row, use)

    def _is_for_others(self, snapshot: Snapshot) -> bool:
        """Whether another host may have the code that this one lacks. A termination needs none."""
        row = snapshot.instance
        if not has_others(self._parts) or row.is_quarantined or self.wakeup.passed >= MAX_PASSED:
            return False
        is_to_end = any(isinstance(each.event, ExecutionTerminated) for each in snapshot.inbox)
        if is_to_end and not has_ended(snapshot):
            return False
        return not self._knows(snapshot)

    def _knows(self, snapshot: Snapshot) -> bool:
        """Whether this host has the function of the execution that is to go on."""
        row = snapshot.instance
        if snapshot.batches:
            row = replace(row, version=version_of(snapshot))
        return self._kind.knows(row)

    def _is_try(self, snapshot: Snapshot) -> bool:
        """Whether whoever led it before may have died of it, and its code is to run again."""
        parts, row = self._parts, snapshot.instance
        if not self._knows(snapshot):
            return False
        if row.is_quarantined:
            return is_pause_over(row, parts.clock.now())
        if not may_have_run(snapshot, parts.clock.now()):
            return False  # its holder ended of something else
        if self.instance_id in parts.suspects:
            return True
        return self._may_be_try and (
            self.wakeup.deliveries > 1
            or has_vanished_holder(snapshot, parts.host_id, parts.clock.now())
        )

    async def _count_try(self, snapshot: Snapshot) -> Snapshot:
        """Note the try before it is made, once for this wake-up; not yet if a slot is needed."""
        row = snapshot.instance
        may_be_noted = not row.is_quarantined and row.tries < self._parts.options.max_deliveries
        self._owes_try = may_be_noted and self._kind.waits_for_slot(row)
        return snapshot if self._owes_try else replace(snapshot, instance=await self._note_try(row))

    async def _note_try(self, row: Instance) -> Instance:
        row = await self._parts.quarantine.count(row, self._parts.clock.now())
        self._owes_try = self._may_be_try = False
        self._parts.suspects.discard(self.instance_id)
        return row

    def _leave_others(self, *, has_parked: bool) -> None:
        share, self._share = self._share, 0
        if share and has_parked:
            self._parts.quarantine.leave_on_trial(self.instance_id, share)
        elif share:
            self._parts.quarantine.leave(share)

    async def _lead(self, live: Led) -> None:
        state, self._is_put_off = live.state, False
        while True:
            await self._take_turn(live)
            if self._is_put_off or (state.ledger.end is not None and self._is_over(state)):
                break
            if self._lets_go and not self._is_draining:
                await self._activities.park(state)
                self.leaves_work = True
                break
            if self._activities.have_results:
                continue
            if self._is_draining:
                is_left = await self._activities.leave_to_others(state)
                self.leaves_work |= is_left or self._has_mail or state.must_continue()
                break
            if self._has_mail or state.must_continue():
                continue
            if not self._activities.are_running:
                await self._prove(state)
                break
            if self._wants_park:
                await self._activities.park(state)
                break
            if self._wants_leases:
                self._wants_leases = False
                await self._activities.lease_old(state)
                continue
            await self._wait()
        await self._finish(live)

    def _is_over(self, state: InstanceState) -> bool:
        """Whether the instance, of which an execution has ended, is finished.

        Raises `Conflict` if only other hosts lead the version in which it goes on. What is loaded
        then is passed on to them: nothing else would tell them of it.
        """
        end = state.ledger.end
        version = end.version if isinstance(end, ContinueAsNew) else None
        if version is None or not has_others(self._parts):
            return state.is_finished
        if not self._kind.knows(replace(state.row, version=version)):
            raise Conflict(LED_ELSEWHERE)
        return False

    async def _take_turn(self, live: Led) -> None:
        """One turn, if there is anything to do. Raises `_OldCodeError` if the app has changed."""
        if self._renewal is not None:
            raise _OldCodeError
        parts = self._parts
        state = live.state
        now = parts.clock.now()
        # What came before a timer that is due may be in the inbox only since the mail was read.
        was_mail_read = self._has_mail = self._has_mail or state.has_timer_due(
            self._mail_seen_at, now
        )
        if was_mail_read:
            await self._read_mail(state)
        self._check_hold()
        results = self._activities.take_results(state)
        inbox = self._inbox
        self._inbox = ()
        # Each turn pays for the first look, and only one with a debounce for more.
        if state.row.debounce is not None and self._begins_movable(live, inbox):
            await begin(parts, state)
        outcome = await self._kind.take_turn(live, now, inbox, results)
        if isinstance(outcome, Commit):
            await self._commit(state, outcome)
        elif isinstance(outcome, self._kind.planned):
            await self._finish_turn(live, outcome)
        elif state.is_continued:
            # Its session would ask again at once, for ever, and nothing else would run here.
            raise AssertionError("The next execution did not begin.")
        elif outcome is not None:
            await self._forget(outcome, is_mail_newer=was_mail_read)
        self._activities.drop_results()
        if state.unawaited and not self._is_draining:
            await UnawaitedActivities(parts, state.unawaited).see_to()
        # Not before the mail is read: an answer to what nobody runs may be there.
        # Of a blocked one results stay in the inbox: what has one there would be run again.
        if not (self._is_draining or state.blocked_reason is not None):
            await self._activities.dispatch(state)

    async def _commit(self, state: InstanceState, commit: Commit) -> None:
        self._check_hold()  # a long turn lets others go on in between
        parts = self._parts
        try:
            applied = await parts.store.commit(commit)
        except Conflict:
            if TurnRefused in parts.observers.wanted:
                parts.observers.tell(TurnRefused(commit=commit))
            self._has_lost_turn = True
            raise
        except (StorageError, asyncio.CancelledError):
            self._owe(commit.effects)
            raise
        if TurnCommitted in parts.observers.wanted:
            turn = TurnCommitted(commit=commit, started=state.started, view=state.view)
            parts.observers.tell(turn)
            turn.view = None
        self._quiet_since = parts.clock.monotonic()
        self._wants_park = False
        self._is_proven = self._has_committed = True
        await self._follow_up(state, applied, commit.effects)
        if commit.effects.unawaited:
            await self._leave(state, commit.effects.unawaited)
        if commit.number == 0 and not commit.is_whole:
            row = state.view()
            parts.waiters.report(row)
            if row.generation == 0 and InstanceStarted in parts.observers.wanted:
                parts.observers.tell(InstanceStarted(row=row))
        # What the end of an execution left in the inbox is for the next one. If there was nothing
        # when it was read, what came since then has a hint of its own.
        self._has_mail = self._has_mail or (self._found_mail and state.must_continue())

    async def _forget(self, effects: Effects, *, is_mail_newer: bool) -> None:
        """Delete mail that nobody wants.

        Only what was loaded together with the mail can say so: in older memory an answer to what
        another host asked meanwhile looks like one that nobody waits for. While activities run here
        such mail is left for later, so that none of them runs again for it.
        """
        if not is_mail_newer:
            await self._parts.store.apply(effects)
        elif not self._activities.are_running:
            raise Conflict(f"'{self.instance_id}' has mail that its memory does not know of.")

    async def _prove(self, state: InstanceState) -> None:
        """A hint that finds nothing to do in a copy may be about what others have done since.

        So only the store can say that there is nothing to do. A copy that is behind would eat every
        hint that comes here, and who waits for a timer would wait on.
        """
        ledger = state.ledger
        if not self._is_proven and not await self._parts.store.is_latest(
            self.instance_id, ledger.execution_id, ledger.next_number - 1
        ):
            raise Conflict(f"Another host led '{self.instance_id}' on.")
        self._is_proven = True

    async def _finish(self, live: Led) -> None:
        """The last things of a session; the instance waits in the cache for the next one."""
        state = live.state
        if state.is_finished:
            self._report_end(live)
            close(live)
            return
        seen = state.row
        effects = state.settle(self._parts.clock.now(), has_work=self._is_put_off)
        if effects is not None:
            self._check_hold()
            await self._apply_to(seen, effects)
            self._parts.notice_alarm_of(effects)
            if effects.row is not None and effects.row.blocked_reason is not None:
                _logger.warning("'%s' waits: %s", self.instance_id, effects.row.blocked_reason)
        if not self._has_committed:
            self._parts.expect_alarm(self.instance_id, state.alarm)
        if self._may_keep(state):
            self._parts.cache.put(live)
        else:
            close(live)

    def _begins_movable(self, live: Led, inbox: Sequence[Message]) -> bool:
        return live.state.row.is_movable and begins(live, inbox, self._parts)

    def _may_keep(self, state: InstanceState) -> bool:
        """Whether the copy may wait in memory: of a start that moves no message tells."""
        if self._is_draining or self._renewal is not None or state.row.is_movable:
            return False
        return state.blocked_reason is None

    async def _apply_to(self, seen: Instance, effects: Effects) -> None:
        """Apply what follows from no turn. Raises `Conflict` if a start moved it since it was seen.

        What a row says that was loaded before that would take its new input away.
        """
        if seen.is_movable and effects.row is not None:
            if not await self._parts.store.change_row(seen, effects.row):
                raise Conflict(f"The start of '{self.instance_id}' was moved.")
            effects = replace(effects, row=None)
        await self._parts.store.apply(effects)

    def _report_end(self, live: Led) -> None:
        row, observers = live.state.row, self._parts.observers  # the row as the end was stored
        self._parts.waiters.report(row)
        if self._limits.are_set:
            self._limits.instances.ended(row)
        if InstanceEnded in observers.wanted:
            observers.tell(InstanceEnded(row=row, error=live.error))

    # ---- code elsewhere ------------------------------------------------------------------------

    async def _finish_turn(self, live: Led, planned: Any) -> None:
        """A turn that was planned, as it was answered, or that ends the instance instead.

        If it needs a slot that is not to be had now, the session is to end.
        """
        try:
            commit: Commit | None = await self._kind.finish(live, planned, self._answer)
        except NoSlotError:
            if self._owes_try:
                self._parts.suspects.add(self.instance_id)
            if self._renewal is not None:
                raise _OldCodeError from None
            self.leaves_work = self._is_draining or self._lets_go
            self._is_put_off = True
            return
        await self._commit(live.state, commit or self._ending(live))

    def _ending(self, live: Led) -> Commit:
        """The turn by mail that was read meanwhile, and ends the instance."""
        inbox, self._inbox = self._inbox, ()
        ending = live.turn(self._parts.clock.now(), inbox)
        assert isinstance(ending, Commit)  # noqa: S101 - `is_to_end` said so of this mail
        return ending

    async def _answer(
        self,
        live: Led,
        asked: Awaitable[T],
        *,
        patience_s: float | None = None,
        is_idle: bool = False,
    ) -> T | None:
        """What an executor answers; None if there is mail that ends the instance anyway.

        That mail is read then. What no mail ends has its mail left for later. What is only waited
        for (`is_idle`) is None, too, if the session is to end. Raises `ExecutorError`,
        `HoldOverError`, `StorageError`.
        """
        clock, has_mail = self._parts.clock, False
        if patience_s is None:
            patience_s = self._parts.options.executor_patience_s
        until = clock.monotonic() + patience_s
        answer = asyncio.ensure_future(asked)
        answer.add_done_callback(self._heard)
        try:
            while not answer.done():
                if self._has_mail and not live.hears_while_asked:
                    has_mail, self._has_mail = True, False
                elif self._has_mail:
                    has_mail = True
                    await self._read_mail(live.state)
                    if live.is_to_end(clock.now(), self._inbox):
                        return None
                elif is_idle and self._has_waited_enough():
                    return None
                elif clock.monotonic() >= until:
                    raise ExecutorError("The executor takes too long to answer.")
                elif not self._is_held():
                    raise HoldOverError
                else:
                    await self._wait()
            found = answer.result()
            if is_idle and found and self._owes_try:
                live.state.row = await self._note_try(live.state.row)
            return found
        finally:
            self._has_mail = self._has_mail or has_mail
            answer.cancel()

    def _has_waited_enough(self) -> bool:
        """Whether the session is to end, or others want to be tried while this one only waits."""
        is_over = self._is_draining or self._lets_go or self._renewal is not None
        do_suspects_wait = bool(self._parts.quarantine.waiting)
        return is_over or (do_suspects_wait and self._share > 0 and self._wants_park)

    def _heard(self, answer: asyncio.Future[Any]) -> None:
        if not answer.cancelled():
            answer.exception()  # the session may be over: then nobody else looks at it
        self._wake()

    # ---- what follows from a turn --------------------------------------------------------------

    def _owe(self, effects: Effects) -> None:
        """All may be stored though nobody heard of it: whoever looks then finds nothing undone."""
        self._parts.hints.owe(Outbound(effects.starts, effects.messages).addressees)

    async def _follow_up(self, state: InstanceState, applied: Applied, effects: Effects) -> None:
        """Tell the others, and this host's own parts, what was stored."""
        self._parts.notice_alarm_of(effects)
        if effects.starts or effects.messages:
            await self._parts.hints.send(Outbound(effects.starts, effects.messages).addressees)
        if applied.refused_starts:
            self._has_mail = True
        if state.ledger.was_terminated:
            self._activities.cancel()

    async def _leave(self, state: InstanceState, left: Sequence[Unawaited]) -> None:
        """See to what an execution leaves that has just ended."""
        if left and await self._activities.leave(state, left, is_draining=self._is_draining):
            self.leaves_work = True

    # ---- mail and waiting ----------------------------------------------------------------------

    async def _read_mail(self, state: InstanceState) -> None:
        """Raises `Conflict` if the instance was purged, or its id is another's now."""
        self._has_mail = False
        self._mail_read_at = self._parts.clock.monotonic()
        self._mail_seen_at = self._parts.clock.now()
        of = state.row.execution_id
        self._inbox = await self._parts.store.read_inbox(self.instance_id, of=of)
        self._found_mail = bool(self._inbox)

    async def _wait(self) -> None:
        self._signal = asyncio.get_running_loop().create_future()
        try:
            await self._signal
        finally:
            self._signal = None

    def _wake(self) -> None:
        if self._signal is not None and not self._signal.done():
            self._signal.set_result(None)

    def _is_to_be_loaded(self, state: InstanceState) -> bool:
        """Whether a copy in memory will not do; of one that has not begun: it may need a slot."""
        is_new = self._limits.are_set and state.ledger.started is None
        return is_new or self._has_expired_lease(state)

    def _has_expired_lease(self, state: InstanceState) -> bool:
        expiry = state.leases.next_expiry()
        if expiry is not None and expiry <= self._parts.clock.now():
            return True
        return (
            bool(state.unawaited) and UnawaitedActivities(self._parts, state.unawaited).are_over()
        )

    def _abandon(self) -> None:
        self._forget_all()
        self._activities.abandon()

    def _forget_all(self) -> None:
        """Drop all that is in memory of the instance: it may not be true."""
        self._inbox, self._has_mail = (), True
        live, self._live = self._live, None
        if live is not None:
            close(live)
