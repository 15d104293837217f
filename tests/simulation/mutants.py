"""Defects to plant, each a snippet that is replaced by another."""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """A defect: in this file, `new` stands where `old` stood."""

    name: str
    path: str
    old: str
    new: str
    by: str = ""
    """The test that shows it, where that is too rare in random worlds."""


MUTATIONS = (
    Mutation(
        "a limit gets no slot of an activity back",
        "host/engine/activities.py",
        "        if run.slot is not None:\n            run.slot.give_back()\n"
        "        self._forget(run)\n",
        "        self._forget(run)\n",
    ),
    Mutation(
        "a limit gets no slot of an orchestration back",
        "host/engine/session.py",
        "            self._limits.instances.ended(row)\n",
        "            self._limits.instances.forget(row.instance_id)\n",
        by="tests/engine/test_limited_orchestrations.py::"
        "test_whatever_ends_one_lets_the_next_one_in",
    ),
    Mutation(
        "a slot that nobody gave back and nobody waits for is never found",
        "host/engine/limits/cleaner.py",
        "        held = {(use.limit, use.key): use.holders for use in uses if use.holders}\n",
        "        held = {(use.limit, use.key): use.holders for use in uses if use.is_empty}\n",
        by="tests/engine/test_limited_orchestrations.py::"
        "test_a_slot_that_nobody_gave_back_is_found_though_nobody_waits_for_it",
    ),
    Mutation(
        "an entity needs no slot of its limit",
        "host/engine/entities.py",
        "        if self._limited is None or use is None or not planned.operations:\n",
        "        if self._limited is None or use is not None or not planned.operations:\n",
    ),
    Mutation(
        "a limit gets no slot of an entity back",
        "host/engine/limits/entities.py",
        "                asking.slot.give_back()\n",
        "                self._made_room()\n",
    ),
    Mutation(
        "an entity that has no slot works all the same",
        "host/engine/entities.py",
        "            if not await ask(live, asking.answer, patience_s=inf, is_idle=True):\n",
        "            if await ask(live, asking.answer, patience_s=inf, is_idle=True) is None:\n",
        by="tests/engine/test_limited_entities.py::test_only_some_wait_in_sessions",
    ),
    Mutation(
        "entities that wait for slots are never called",
        "host/engine/limits/entities.py",
        "        if called:\n            self._owe(called)\n",
        "        self._made_room()\n",
        by="tests/engine/test_limited_entities.py::test_only_some_wait_in_sessions",
    ),
    Mutation(
        "with a rate a batch of an entity counts once",
        "host/engine/limits/entities.py",
        "            asking.at_most = 1\n",
        "            asking.at_most = 2\n",
        by="tests/engine/test_limited_entities.py::test_with_a_rate_each_operation_counts",
    ),
    Mutation(
        "what failed in a section runs again before it has its locks",
        "host/core/rewinding.py",
        "            return held is not None and held in again and task.task_id > held\n",
        "            return False\n",
        by="tests/engine/test_critical_sections.py::"
        "test_what_failed_in_a_section_runs_again_once_it_has_its_locks",
    ),
    Mutation(
        "what is offered anew is taken from who has just begun it",
        "host/engine/session_offers.py",
        "if task.lease is not None]\n        now =",
        "if task.lease is None and task.lease]\n        now =",
        by="tests/engine/test_work_items.py::test_what_somebody_takes_in_the_last_moment_is_his",
    ),
    Mutation(
        "what was offered begins here though another host takes it",
        "host/engine/session_activities.py",
        "            if task.was_offered:\n",
        "            if task.was_offered and task.was_begun:\n",
        by="tests/engine/test_work_items.py::test_what_somebody_takes_in_the_last_moment_is_his",
    ),
    Mutation(
        "what waits for a slot is left without a lease for a while",
        "host/engine/limits/activities.py",
        "RENEWED_AT, LOOKS = 3, 6\n",
        "RENEWED_AT, LOOKS = 3, 1\n",
    ),
    Mutation(
        "a limit is asked, and nobody waits for the answer",
        "host/engine/session.py",
        "        return not await limited.may_begin(row, use)\n",
        "        await limited.may_begin(row, use)\n        return False\n",
    ),
    Mutation(
        "two hosts take the last slot of a limit",
        "host/storage/memory.py",
        "        if not rules.can_change(record.stamp, after, stored.stamp if stored else None):\n",
        "        seen = stored.stamp if stored else None\n"
        '        if record.kind != "slots" and not rules.can_change(record.stamp, after, seen):\n',
    ),
    Mutation(
        "a limit forgets what runs here",
        "host/core/limits.py",
        "    free = limit.concurrency - taken - len(use.holders) - held\n",
        "    free = limit.concurrency - taken - len(use.holders)\n",
    ),
    Mutation(
        "a limit has no rate",
        "host/core/limits.py",
        "    if limit.rate is None or slots <= 0:\n",
        "    if limit.rate is None or slots >= 0:\n",
    ),
    Mutation(
        "a limit lets in who waited, whether it is wanted still or not",
        "host/engine/limits/activities.py",
        "return own if await self._store.take_lease(own, BEFORE_ALL) else None",
        "return own if await self._store.take_lease(own, BEFORE_ALL) else own",
    ),
    Mutation(
        "the condition of a commit is skipped",
        "host/storage/memory_record.py",
        "        if key in self.batches:\n",
        "        if key in self.batches and key[1] < 0:\n",
    ),
    Mutation(
        "a batch number is used again",
        "host/core/ledger.py",
        "        self.next_number += 1\n",
        "        self.next_number += self.next_number != 2\n",
    ),
    Mutation(
        "the row's execution is not compared",
        "host/storage/memory.py",
        "if record is None or record.row.execution_id != commit.row_execution_id:",
        "if record is None:",
    ),
    Mutation(
        "consumed messages are not deleted",
        "host/core/turns.py",
        "    done = (*consumed, *planned.stale)\n",
        # With those of before that are there still it would be mended a turn later.
        "    done: tuple[str, ...] = ()\n",
    ),
    Mutation(
        "consumed messages are not recognised",
        "host/core/ledger.py",
        "        if self.has_consumed(message):\n            return False\n",
        "",
    ),
    Mutation(
        "a redo leaves the messages out",
        "host/core/instance_state.py",
        "            starts=to_start(outbound.starts, self.execution_id, self._unread()),\n"
        "            messages=outbound.messages,\n",
        "            starts=to_start(outbound.starts, self.execution_id, self._unread()),\n",
    ),
    Mutation(
        "a redo leaves the starts out",
        "host/core/instance_state.py",
        "            starts=to_start(outbound.starts, self.execution_id, self._unread()),\n"
        "            messages=outbound.messages,\n",
        "            messages=outbound.messages,\n",
    ),
    Mutation(
        "a redo leaves the notices out",
        "host/core/instance_state.py",
        "            notices=notices,\n",
        "            notices=() if notices else notices,\n",
    ),
    Mutation(
        "a notice is kept after the row",
        "tests/simulation/store.py",  # the order of the driver for AWS, where such a gap is rare
        "        return await self.apply(commit.effects)\n",
        '        replace = __import__("msgspec").structs.replace\n'
        "        applied = await self.apply(replace(commit.effects, notices=()))\n"
        "        await self._keep(commit.effects.notices)\n"
        "        return applied\n",
    ),
    Mutation(
        "nothing is redone when a hint comes again",
        "host/engine/session.py",
        "if (self._is_suspicious or state.may_lack_effects) and not state.row.is_movable:",
        "if state.must_continue() and self._is_suspicious:",
    ),
    Mutation(
        "timers fire early",
        "host/core/timers.py",
        "self._heap[place].fire_at <= until:",
        "self._heap[place].fire_at <= until.replace(microsecond=999_999):",
    ),
    Mutation(
        "a timer that was held by a suspension fires again",
        "host/core/ledger.py",
        "        self.timers.drop(event.task_id)\n",
        "        if not self.is_suspended:\n            self.timers.drop(event.task_id)\n",
    ),
    Mutation(
        "timers that are due come before what arrived in time",
        "host/core/replay/intake.py",
        "self._due[0].fire_at > until or",
        "self._due[0].fire_at > self._new.now or",
    ),
    Mutation(
        "events carried over are lost",
        "host/core/replay/execution.py",
        "        return (*self._mailbox.unclaimed(), *held)\n",
        "        return tuple(held)\n",
    ),
    Mutation(
        "carried events are forgotten when the host dies",
        "host/core/turns.py",
        "    incoming.extend(Incoming(event) for event in state.carryover)\n",
        "    incoming.extend(Incoming(event) for event in state.carryover[1:])\n",
    ),
    Mutation(
        "what other executions consumed is forgotten",
        "host/core/instance_state.py",
        "ledger = Ledger(execution_id, end.recent, self.last_batch.consumed, reached)",
        "ledger = Ledger(execution_id, (), (), reached)",
    ),
    Mutation(
        "an event is given to two waits",
        "host/core/replay/mailbox.py",
        "            event = events.popleft()[1]\n            if not events:\n                del",
        "            event = events[0][1]\n            if len(events) > 1:\n                del",
    ),
    Mutation(
        "events are taken in the wrong order",
        "host/core/replay/mailbox.py",
        "            event = events.popleft()[1]\n",
        "            event = events.pop()[1]\n",
    ),
    Mutation(
        "the inbox is read backwards",
        "host/engine/session.py",
        "        results = self._activities.take_results(state)\n",
        "        results = self._activities.take_results(state)\n"
        "        self._inbox = self._inbox[::-1] if was_mail_read else self._inbox\n",
    ),
    Mutation(
        "leases that others hold are ignored",
        "host/core/leases.py",
        "        return lease is not None and lease.expires_at > now\n",
        "        return lease is not None and lease.expires_at > now and task_id < 0\n",
    ),
    Mutation(
        "leases are not renewed",
        "host/engine/parked.py",
        "            is_held = await self._store.renew_lease(renewed)\n",
        "            is_held = True\n",
    ),
    Mutation(
        "elsewhere: an answer counts that came after the hold",
        "host/engine/session.py",
        "        self._check_hold()  # a long turn lets others go on in between\n",
        "",
    ),
    Mutation(
        "elsewhere: who is asked anew is not told what came before",
        "host/engine/orchestrations.py",
        "        if recorded and not live.is_to_end(self._clock.now(), snapshot.inbox):\n",
        "        if recorded and live.is_to_end(self._clock.now(), snapshot.inbox):\n",
    ),
    Mutation(
        "elsewhere: a worker that fails is asked on in the midst of its turn",
        "host/engine/session.py",
        "            except (StorageError, ExecutorError) as error:\n",
        "            except (StorageError, ExecutorError) as error:\n"
        "                if isinstance(error, ExecutorError) and self._live is not None:\n"
        "                    self._parts.cache.put(self._live)\n"
        "                    self._live, self._is_suspicious = None, False\n"
        "                    continue\n",
    ),
    Mutation(
        "there is no sweep",
        "host/engine/engine.py",
        "            _tell_recovered(await sweeps.sweep())\n            self._supervisor.recovered",
        "            self._supervisor.recovered",
    ),
    Mutation(
        "memory is kept after a conflict",
        "host/engine/session.py",
        "        live, self._live = self._live, None\n        if live is not None:\n"
        "            close(live)\n",
        "        live, self._live = self._live, None\n        if live is not None:\n"
        "            self._parts.cache.put(live)\n",
    ),
    Mutation(
        "an old copy says that there is nothing to do",
        "host/engine/session.py",
        "        if not self._is_proven and not await",
        "        if False and not await",
    ),
    Mutation(
        "a session goes on when its hold is over",
        "host/engine/session.py",
        "        self._is_held = partial(parts.queues.is_held, wakeup)\n",
        "        self._is_held = partial(bool, wakeup.instance_id)\n",
    ),
    Mutation(
        "who lost a turn does not ask whose turn it is",
        "host/engine/session.py",
        "        if self._has_lost_turn:\n",
        "        if self._has_lost_turn and self._is_draining:\n",
    ),
    Mutation(
        "the result of a parked activity is not delivered",
        "host/engine/parked.py",
        "self._store.finish_lease(lease, message, keep=parked.is_claim)",
        "self._store.renew_lease(lease)",
    ),
    Mutation(
        "nobody is woken by alarms",
        "host/engine/alarms.py",
        "        if fresh:\n            await self._wake",
        "        if fresh and len(fresh) > 1:\n            await self._wake",
        by="tests/engine/test_alarms.py::"
        "test_found_g13_a_timer_fires_soon_after_the_clock_jumped_over_its_time",
    ),
    Mutation(
        "a parent is not told of its child's end",
        "host/core/effects.py",
        "if by.instance.parent is not None:",
        "if by.instance.parent and not event.failure:",
    ),
    Mutation(
        "an alarm is not set anew",
        "host/core/alarm.py",
        "        if wanted == self.armed:\n",
        "        if self.armed or wanted == self.armed:\n",
    ),
    Mutation(
        "a suspension forgets what came meanwhile",
        "host/core/replay/execution.py",
        "        for event in held:\n",
        "        for event in [*held][1:]:\n",
    ),
    Mutation(
        "a new execution reuses messages of the last",
        "host/core/ledger.py",
        "        if message.execution_id is not None and message.execution_id != self.execution_id:"
        "\n            return False\n",
        "",
    ),
    Mutation(
        "a lost at-most-once activity is run again",
        "host/engine/placement.py",
        "        placement.lost.append(task)\n",
        "        placement.here.append(task.scheduled)\n",
    ),
    Mutation(
        "at-most-once activities begin without a claim",
        "host/engine/session_activities.py",
        '            raise Conflict(f"Somebody else has begun an activity',
        '            str(f"Somebody else has begun an activity',
    ),
    Mutation(
        "work items are run without their lease",
        "host/engine/work.py",
        "        if not is_new and not await self._store.take_lease(lease, now):\n"
        "            return False\n",
        "",
    ),
    Mutation(
        "a missing activity fails at once",
        "host/engine/placement.py",
        "            placement.unknown.append(task)\n",
        "            placement.lost.append(task)\n",
    ),
    Mutation(
        "what may begin once is offered as if it was never begun",
        "host/engine/unknown.py",
        "replace(lease, owner=LET_GO)",
        "replace(lease, owner=ANYBODY)",
    ),
    Mutation(
        "a host that stops breaks its polls off",
        "host/engine/engine.py",
        "asyncio.create_task(parts.queues.stop_receiving())",
        "asyncio.create_task(asyncio.sleep(0))",
    ),
    Mutation(
        "recovery hints say nothing of recovery",
        "host/engine/recovery.py",
        "send_wakeups(instance_ids, is_recovery=True)",
        "send_wakeups(instance_ids, is_recovery=False)",
        by="tests/engine/test_swapped_apps.py::"
        "test_one_that_is_led_while_the_app_changes_misses_no_function",
    ),
    Mutation(
        "a session on top of another",
        "host/engine/sessions.py",
        "            await earlier.over.wait()\n",
        "            break\n",
    ),
    Mutation(
        "rows are ordered by time alone",
        "host/storage/rules.py",
        "(new.last_number, new.updated_at) >= (stored.last_number, stored.updated_at)",
        "new.updated_at >= stored.updated_at",
        by="tests/contract/test_store_effects.py::"
        "test_the_row_of_an_earlier_turn_loses_even_if_its_clock_was_ahead",
    ),
    Mutation(
        "an old row replaces a newer one",
        "host/storage/rules.py",
        "    if new.generation != stored.generation:\n"
        "        return new.generation > stored.generation\n",
        "    if new.generation != stored.generation:\n        return True\n",
    ),
    Mutation(
        "unawaited: open activities are forgotten at the end",
        "host/core/effects.py",
        "left_by(instance.instance_id, ledger, end) if is_left else ()",
        "()",
    ),
    Mutation(
        "unawaited: leases go with the row",
        "host/storage/memory_record.py",
        "        for key in list(self.leases) if is_all else self._awaited():\n",
        "        for key in list(self.leases) if is_all or self.leases else []:\n",
    ),
    Mutation(
        "unawaited: leases go with their execution",
        "host/storage/memory_record.py",
        "for key in [key for key in self._awaited() if key[0] == effects.drop_execution]:",
        "for key in [key for key in self.leases if key[0] == effects.drop_execution]:",
    ),
    Mutation(
        "unawaited: a redo leaves it out",
        "host/core/instance_state.py",
        "            unawaited=left,\n            drop_execution=None if old_id",
        "            drop_execution=None if old_id",
    ),
    Mutation(
        "unawaited: a stop forgets what runs",
        "host/engine/parked.py",
        "lease = msgspec.structs.replace(parked.lease, expires_at=expires_at)",
        "lease = msgspec.structs.replace(parked.lease, expires_at=expires_at + timedelta(days=9))",
    ),
    Mutation(
        "unawaited: finished instances are not looked after",
        "host/engine/session.py",
        "            await activities.see_to()\n",
        "            del activities\n",
    ),
    Mutation(
        "unawaited: what begins once begins again",
        "host/engine/unawaited.py",
        "            Undispatched(lease.scheduled, lease) for lease in leases",
        "            Undispatched(lease.scheduled) for lease in leases",
    ),
    Mutation(
        "a suspension is judged by the row",
        "host/engine/management.py",
        "        event = history.ExecutionSuspended(",
        "        row = await self._row(instance_id)\n"
        "        if row.status is RuntimeStatus.SUSPENDED:\n"
        '            raise InstanceStateError(instance_id, "held", "suspend", finished=False)\n'
        "        event = history.ExecutionSuspended(",
    ),
    Mutation(
        "messages arrive by their senders' clocks",
        "tests/simulation/store.py",
        "max(self._last_arrival + 1, newest + 1, now)",
        "max(self._last_arrival + 1, now)",
    ),
    Mutation(
        "a row of another run wins",
        "host/storage/rules.py",
        "        return new.run_id == stored.run_id\n    return",
        "        return True\n    return",
        by="tests/contract/test_store_runs.py::"
        "test_found_a20_a_late_row_of_another_run_changes_nothing",
    ),
    Mutation(
        "a lock is never over",
        "host/storage/local_locks.py",
        "            if now < stored.expires_at <= latest:\n",
        "            if stored.expires_at <= latest:\n",
    ),
    Mutation(
        "all hosts read and ring the alarms, whoever has the duty",
        "host/engine/shared_alarms.py",
        "        has_duty = await self._duty.take()\n",
        "        has_duty = await self._duty.take() or True\n",
    ),
    Mutation(
        "a vanished host is no reason for a full sweep",
        "host/engine/sweeps.py",
        "        if not (vanished or await self._is_time_for_all(locks)):\n",
        "        if not await self._is_time_for_all(locks):\n",
        by="tests/engine/test_duties.py::test_whoever_lost_a_hint_has_all_looked_at_once",
    ),
    Mutation(
        "a host that was killed has let go of its lock",
        "host/engine/sweeps.py",
        "        is_there = await self._presence.take()\n",
        "        is_there = not await self._presence.let_go()\n",
        by="tests/engine/test_duties.py::test_a_stop_leaves_the_locks_that_others_need",
    ),
    Mutation(
        "a host leads instances of a newer version",
        "host/core/versions.py",
        "                return compare(version, self.default) <= 0\n",
        "                return compare(version, self.default) <= 2\n",
    ),
    Mutation(
        "children do not have the version of their parent",
        "host/core/replay/context.py",
        "self._catalog.version_of(orchestrator) or self.version\n",
        "self._catalog.version_of(orchestrator)\n",
    ),
    Mutation(
        "a child's end after a rewind is told as the one before",
        "host/core/ids.py",
        'return f"{execution_id}.end.{rewinds}" if rewinds else f"{execution_id}.end"',
        'return f"{execution_id}.end"',
    ),
    Mutation(
        "the children of a rewound parent are not seen to",
        "host/engine/session.py",
        "            if state.is_rewound:\n",
        "            if state.is_rewound and state.is_finished:\n",
    ),
    Mutation(
        "the children that a fork waits for are not started",
        "host/core/forking.py",
        "last_number=planted.batches[-1].number - 1)",
        "last_number=planted.batches[-1].number)",
    ),
    Mutation(
        "an imported instance is led only if its hint arrives",
        "host/core/foreign.py",
        "        wake_at=now if due is None else",
        "        wake_at=None if due is None else",
    ),
    Mutation(
        "what came in with a failed turn is lost by its rewind",
        "host/core/rewound.py",
        "            carried = [*came_in(taken_back), *carried]\n",
        "            carried = [*carried]\n",
        by="tests/engine/test_rewinding.py::test_failures_that_the_code_did_not_react_to_run_again",
    ),
    Mutation(
        "a rewound execution that continued as new begins no next one",
        "host/core/rewound.py",
        "self.has_next = self.has_next or (bool(read.carried) and not self._has_gone_on)\n",
        "self.has_next = bool(read.carried) and not self._has_gone_on\n",
    ),
    Mutation(
        "an import does not tell the parent of its child's end",
        "host/engine/importing.py",
        "    await _tell(parts, snapshot)\n    return instance_id\n",
        "    return instance_id\n",
        by="tests/engine/test_export_import.py::"
        "test_a_parent_hears_of_its_child_whoever_comes_first",
    ),
    Mutation(
        "retention: what is old stays",
        "host/engine/retention.py",
        "            return await self._parts.store.purge(row.instance_id, row.execution_id)\n",
        "            return row.instance_id == row.execution_id\n",
    ),
    Mutation(
        "retention: what is kept for ever goes with the rest",
        "host/engine/retention.py",
        "            statuses = frozenset(each for each in periods if periods[each] == period)\n",
        "            statuses = frozenset(FINISHED)\n",
    ),
    Mutation(
        "a row of before a rewind comes back",
        "host/storage/rules.py",
        "        return new.rewinds > stored.rewinds\n",
        "        return new.is_finished\n",
        by="tests/contract/test_store_rewinds.py::"
        "test_a_late_row_of_before_the_rewind_changes_nothing",
    ),
    Mutation(
        "a status that a client set is not there after a replay",
        "host/core/replay/execution.py",
        "        self.custom_status = event.status\n",
        "        if not self.is_replaying:\n            self.custom_status = event.status\n",
    ),
    Mutation(
        "a job that is taken over leaves its page out",
        "host/engine/jobs.py",
        "            counted = await self._see_to(seen.job, is_again=is_again)\n",
        "            counted = Counted()\n"
        "            if not is_again:\n"
        "                counted = await self._see_to(seen.job, is_again=False)\n",
    ),
    Mutation(
        "an order of a job is another one each time",
        "host/core/ids.py",
        '    return uuid5(_NAMESPACE, f"job:{job_id}:{instance_id}").hex\n',
        '    return __import__("uuid").uuid4().hex\n',
    ),
    Mutation(
        "a record is changed by who saw an old one",
        "host/storage/rules.py",
        "    return stored in {after, stamp}\n",
        "    return True\n",
    ),
    Mutation(
        "a listing in order of change goes by creation",
        "host/storage/paging.py",
        "micros(instance.created_at if is_by_creation else instance.updated_at)",
        "micros(instance.created_at)",
    ),
    Mutation(
        "a listing is not restricted by the last change",
        "host/storage/paging.py",
        "instance.updated_at >= filter_.updated_from",
        "bool(instance)",
    ),
    Mutation(
        "an operation that was done is not consumed",
        "host/core/entities/turns.py",
        "consumed = (*taken, *planned.put_off)",
        "consumed = (*taken[1:], *planned.put_off)",
    ),
    Mutation(
        "an entity forgets what it consumed before",
        "host/core/entities/turns.py",
        "recent=ledger.recent_with(consumed)",
        "recent=()",
    ),
    Mutation(
        "what an entity left over waits for its next message",
        "host/core/entities/turns.py",
        "state.has_left_mail = planned.has_more or len(done) < len(planned.steps)",
        "state.has_left_mail = False",
    ),
    Mutation(
        "signals that wait for their time are lost",
        "host/core/entities/turns.py",
        "delayed=still_due + planned.delayed",
        "delayed=still_due",
    ),
    Mutation(
        "an entity has no alarm for signals that wait",
        "host/core/alarm.py",
        "return entity.delayed[0].due if entity.delayed and entity.lock is None else None",
        "return None",
    ),
    Mutation(
        "who called hears nothing of a failure",
        "host/core/entities/turns.py",
        "if operation.caller is not None:",
        "if operation.caller is not None and outcome.failure is None:",
    ),
    Mutation(
        "operations are done in the wrong order",
        "host/core/entities/turns.py",
        "    for message in news:\n",
        "    for message in reversed(news):\n",
    ),
    Mutation(
        "the numbers of what an entity sends begin anew",
        "host/core/entities/turns.py",
        "0 if before is None else before.last_task_id",
        "0",
    ),
    Mutation(
        "an entity forgets with each batch who has locked it",
        "host/core/entities/turns.py",
        "        lock=lock,\n",
        "        lock=None,\n",
    ),
    Mutation(
        "the row of an entity keeps the tags that it had before",
        "host/core/projection.py",
        "or entity.tags != stored.tags\n",
        "\n",
    ),
    Mutation(
        "an operation that failed has set its tags",
        "host/functions/entities.py",
        "        self.outcomes.append(OperationOutcome(failure=failed.details))\n",
        "        self.content = EntityContent(self.content.state, context.content.tags)\n"
        "        self.outcomes.append(OperationOutcome(failure=failed.details))\n",
        by="tests/engine/test_entity_tags.py::test_an_operation_that_fails_has_set_no_tags",
    ),
    Mutation(
        "what an entity starts has no tags",
        "host/core/effects.py",
        "tags={} if ledger.entity is None else ledger.entity.tags",
        "tags={}",
        by="tests/engine/test_entity_tags.py::"
        "test_what_an_entity_starts_has_its_tags_as_they_are_after_the_batch",
    ),
    Mutation(
        "everybody is served while an entity is locked",
        "host/core/entities/locks.py",
        "            case _ if holder is not None:\n",
        "            case _ if False:\n",
    ),
    Mutation(
        "a section is granted while another one has the entity",
        "host/core/entities/locks.py",
        "            case history.EntityLockRequested() as request if holder is None:\n",
        "            case history.EntityLockRequested() as request:\n",
    ),
    Mutation(
        "the end of an orchestration unlocks nothing",
        "host/core/effects.py",
        "    for section in ledger.sections.values():\n",
        "    for section in ():\n",
    ),
    Mutation(
        "an order to unlock is not passed on",
        "host/core/entities/turns.py",
        "                if order.rest:\n",
        "                if order.rest and lock is None and not order.rest:\n",
    ),
    Mutation(
        "an order to unlock overtakes the request",
        "host/core/effects.py",
        "    if not is_held:\n",
        "    if is_held and not is_held:\n",
    ),
    Mutation(
        "a request that is over is granted later",
        "host/core/entities/locks.py",
        "            return [waiting.pop(place)._replace(event=None)]\n",
        "            return []\n",
    ),
    Mutation(
        "sections lock in the order in which their code names the entities",
        "host/core/replay/context.py",
        "tuple(sorted(ids_))",
        "tuple(dict.fromkeys(map(str, _named(entities))))",
    ),
    Mutation(
        "rewound code goes on before it has its locks again",
        "host/core/replay/sections.py",
        "        self.is_regaining |= section.is_held\n",
        "        self.is_regaining = False\n",
    ),
    Mutation(
        "who leaves a section unlocks its first entity only",
        "host/core/effects.py",
        "return [msgspec.structs.replace(order, instance_id=each) for each in request.entities]",
        "return [order]",
    ),
    Mutation(
        "a call of a section that has lost its lock is done",
        "host/core/entities/locks.py",
        "is_refused=section != holder",
        "is_refused=False",
        by="tests/core/test_entity_locks.py::test_a_call_of_a_section_without_the_lock_is_refused",
    ),
    Mutation(
        "the condition of an entity's batch is skipped",
        "host/storage/memory_record.py",
        "        if max(numbers, default=-1) != commit.number - 1:\n",
        "        if max(numbers, default=-1) < -1:\n",
    ),
    Mutation(
        "who begins does not say that nobody moves him any more",
        "host/engine/session.py",
        "            await begin(parts, state)\n",
        "            pass\n",
    ),
    Mutation(
        "who begins does not see that he was moved",
        "host/engine/debouncing.py",
        "    if not await parts.store.change_row(state.row, begins_now):\n",
        "    if await parts.store.change_row(state.row, begins_now) is None:\n",
        by="tests/engine/test_debounced_starts.py",
    ),
)

AWS_MUTATIONS = (
    Mutation(
        "aws: a host that stops breaks its polls off",
        "host/storage/aws/queues/polls.py",
        "            async with asyncio.timeout(patience_s):\n",
        "            async with asyncio.timeout(0):\n",
        by="tests/aws/test_polls.py::"
        "test_found_a15_polls_under_way_are_heard_out_and_what_they_bring_is_given_back",
    ),
    Mutation(
        "aws: the condition of a batch is skipped",
        "host/storage/aws/table/turns.py",
        "    if not commit.is_whole or not commit.number:\n        return MISSING\n",
        '    return Expression("attribute_exists(#pk) OR attribute_not_exists(#pk)")\n',
    ),
    Mutation(
        "aws: the row's execution is not looked at",
        "host/storage/aws/table/turns.py",
        "if head is None or head.execution_id not in {commit.row_execution_id, *also}:",
        "if head is None:",
        by="tests/contract/test_store_commit.py::"
        "test_a_commit_of_a_run_that_was_purged_and_made_again_is_a_conflict",
    ),
    Mutation(
        "aws: what a replaced run left is not removed",
        "host/storage/aws/table/leftovers.py",
        "        if not _may_be_left(items):\n            return 0\n",
        "        return 0\n",
    ),
    Mutation(
        "aws: the row says first what is sent later",
        "host/storage/aws/table/effects.py",
        "        refused = await self._start(effects.starts)\n",
        "        await self._apply_own(effects, are_new=are_new)\n"
        "        refused = await self._start(effects.starts)\n",
    ),
    Mutation(
        "aws: the inbox is read in order of ids",
        "host/storage/aws/table/inboxes.py",
        'key=lambda item: (read_number(item, "at"), sort_key_of(item))',
        "key=sort_key_of",
    ),
    Mutation(
        "aws: messages to others are not delivered",
        "host/storage/aws/table/effects.py",
        "            mail.setdefault(envelope.instance_id, []).append(envelope.message)\n",
        "            mail[envelope.instance_id] = [envelope.message]\n",
    ),
    Mutation(
        "aws: recovery does not look at the mail",
        "host/storage/aws/table/recovery.py",
        "return has_mail or await self._leaves_work(found)",
        "return await self._leaves_work(found)",
    ),
    Mutation(
        "aws: batches do not say what they send",
        "host/storage/aws/table/marks.py",
        "        marks |= Marks.EFFECTS\n",
        "        marks |= Marks.NOTHING\n",
    ),
    Mutation(
        "aws: batches do not say that activities are open",
        "host/storage/aws/table/marks.py",
        "        marks |= Marks.WORK\n",
        "        marks |= Marks.NOTHING\n",
    ),
    Mutation(
        "aws: work items are run without a lease",
        "host/storage/aws/table/leases.py",
        'may_be_taken = "#r = :r AND (',
        'may_be_taken = "attribute_not_exists(#pk) OR #r = :r AND (',
    ),
    Mutation(
        "aws: what a batch write leaves undone is forgotten",
        "host/storage/aws/table/table.py",
        "            if not left:\n                return\n",
        "            return\n",
    ),
    Mutation(
        "aws: hints are never held longer",
        "host/storage/aws/queues/holds.py",
        "for each in hints if self.is_good(each)]",
        "for each in hints if not self.is_good(each)]",
    ),
    Mutation(
        "aws: hints that were seen to are not deleted",
        "host/storage/aws/queues/queues.py",
        "*(queue.delete(message.receipt) for queue, message in ended)",
        "*(queue.hide(message.receipt, 1) for queue, message in ended)",
    ),
    Mutation(
        "aws: an entry's throttling is final",
        "host/storage/aws/queues/batching.py",
        "            if problem.kind in _REFUSED:\n",
        "            if problem.kind in _REFUSED or problem.kind is Kind.THROTTLED:\n",
    ),
    Mutation(
        "aws: a wake-up is not sent although the hold was over",
        "host/storage/aws/queues/holds.py",
        "                del self._of_instances[hold.instance_id]\n",
        "                hold.until = math.inf\n",
    ),
    Mutation(
        "aws: a hold of more than 12 hours",
        "host/engine/holds.py",
        "            if now - self._since[hint.receipt] >= self._max_hold_s:\n",
        "            if now - self._since[hint.receipt] >= self._max_hold_s * 3:\n",
        by="tests/simulation/test_long_holds.py::"
        "test_found_f1_a_chain_that_is_busy_for_many_hours_keeps_its_hold",
    ),
    Mutation(
        "aws: unawaited: leases go with the row",
        "host/storage/aws/table/effects.py",
        "if ends_all or not is_unawaited(x)",
        "if ends_all or x",
        by="tests/contract/test_store_unawaited.py::"
        "test_it_outlives_the_end_with_what_is_to_be_run",
    ),
    Mutation(
        "aws: unawaited: leases go with their execution",
        "host/storage/aws/table/effects.py",
        "for x in items if not is_unawaited(x)",
        "for x in items if x",
        by="tests/contract/test_store_unawaited.py::test_it_outlives_its_execution",
    ),
    Mutation(
        "aws: unawaited: a finished instance has no alarm",
        "host/storage/aws/table/row_changes.py",
        "    if row.is_finished and isinstance(wake_at, datetime):\n",
        "    if row.is_finished and isinstance(wake_at, int):\n",
    ),
    Mutation(
        "aws: messages arrive by their senders' clocks",
        "host/storage/aws/table/inboxes.py",
        "        if first <= newest:\n",
        "        if first <= newest < 0:\n",
    ),
    Mutation(
        "aws: an entry goes to a part that nobody reads",
        "host/storage/aws/table/parts.py",
        "return part_of(instance_id, self._format.parts)",
        "return part_of(instance_id, self._format.parts + 1)",
    ),
    Mutation(
        "aws: what a hub has grown by is not read",
        "host/storage/aws/table/parts.py",
        "return part_names(self._format.read_parts)",
        "return part_names(min(self._format.read_parts, 4))",
    ),
    Mutation(
        "aws: only one part of the index of alarms is read",
        "host/storage/aws/table/parts.py",
        "return part_names(self._format.read_parts)",
        "return part_names(1)",
    ),
    Mutation(
        "aws: nobody rings the short alarms of a host that was killed",
        "host/engine/shared_alarms.py",
        "            if each.due <= (now - LATE if each.is_short or not has_duty else now)\n",
        "            if each.due <= now and not each.is_short\n",
    ),
    Mutation(
        "aws: a lock is never over",
        "host/storage/aws/table/locks.py",
        "NOT (#ex > :now AND ",
        "NOT (attribute_exists(#ow) OR #ex > :now AND ",
    ),
    Mutation(
        "aws: whoever is led to a block is said to wait",
        "host/storage/aws/table/items.py",
        "Led.TO_A_WAIT if row.blocked_reason is None else Led.TO_A_BLOCK",
        "Led.TO_A_WAIT",
    ),
    Mutation(
        "aws: a list by status takes what an index says for true",
        "host/storage/aws/table/listing.py",
        "row.instance_id not in ids and paging.matches(filter_, row):",
        "row.instance_id not in ids:",
    ),
    Mutation(
        "aws: the index does not learn how an instance ended",
        "host/storage/aws/table/items.py",
        '        "st": text(row.status.value),\n',
        '        "st": text(RuntimeStatus.PENDING.value),\n',
    ),
    Mutation(
        "aws: a page goes on below all that was created with its last",
        "host/storage/aws/table/listing.py",
        "position.below(last.created_at, last.instance_id)",
        'position.below(last.created_at, "")',
    ),
    Mutation(
        "aws: what is rewound stays among the ended",
        "host/storage/aws/table/row_changes.py",
        '"k", "e", *ENDED}',
        '"k", "e"}',
        by="tests/aws/test_lists_by_state.py::"
        "test_an_instance_is_where_it_belongs_and_is_listed_and_counted_once",
    ),
    Mutation(
        "aws: all that ended is among the completed",
        "host/storage/aws/table/placing.py",
        "text(ended(self.part, row.status))",
        "text(ended(self.part, RuntimeStatus.COMPLETED))",
    ),
    Mutation(
        "aws: what is imported finished is not among the ended",
        "host/storage/aws/table/items.py",
        "    item |= placing.ended(row) if row.is_finished else {}\n",
        "",
        by="tests/aws/test_lists_by_state.py::"
        "test_an_instance_is_where_it_belongs_and_is_listed_and_counted_once",
    ),
    Mutation(
        "aws: who is rewound while a list is read is on no page",
        "host/storage/aws/table/by_state.py",
        "        if sought & _UNFINISHED and RuntimeStatus.FAILED in sought:\n",
        "        if sought & _UNFINISHED and not sought:\n",
        by="tests/aws/test_lists_by_state.py::test_who_is_rewound_while_a_page_is_read_is_on_it",
    ),
    Mutation(
        "aws: who ends while a list is read is on no page",
        "host/storage/aws/table/by_state.py",
        "        if sought & _UNFINISHED:\n",
        "        if sought & _UNFINISHED and not sought & _FINISHED:\n",
        by="tests/aws/test_lists_by_state.py::test_who_ends_while_a_page_is_read_is_on_it",
    ),
    Mutation(
        "aws: the condition of an entity's batch is skipped",
        "host/storage/aws/table/turns.py",
        'Expression("#n = :n"',
        'Expression("#n >= :n"',
    ),
    Mutation(
        "aws: an entity takes what lies between two tasks for taken in",
        "host/core/entities/received.py",
        "        return is_within and (task_id - self.first) % self.step == 0\n",
        "        return is_within\n",
        by="tests/core/test_received.py::test_it_knows_just_what_it_was_told",
    ),
    Mutation(
        "aws: who sends leaves the mark of a removal",
        "host/storage/aws/table/inboxes.py",
        "        while head is not None and head.is_leaving:\n",
        "        while head is not None and head.is_leaving and head.is_finished:\n",
        by="tests/aws/test_removed_entities.py::"
        "test_who_sends_right_before_the_removal_keeps_the_entity",
    ),
    Mutation(
        "aws: who was slow does not look again",
        "host/storage/aws/table/inboxes.py",
        "        return await self._is_still(head, began_at)\n",
        "        return True\n",
        by="tests/aws/test_removed_entities.py::test_who_was_too_slow_makes_the_entity_anew",
    ),
    Mutation(
        "aws: an entity is removed whatever it has done meanwhile",
        "host/storage/aws/table/removals.py",
        "                    Deletion(place, is_last),\n",
        '                    Deletion(place, Expression("attribute_exists(#pk)")),\n',
        by="tests/aws/test_removed_entities.py::"
        "test_a_turn_right_before_the_removal_keeps_the_entity",
    ),
)
