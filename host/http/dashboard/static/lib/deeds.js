// What an orchestration did and waited for, from its history: one deed for an activity with all its
// attempts, for a timer, an event, a child, a call of an entity, a critical section.
//
// A deed: {key, kind, name, target, start, end, state, parts, opened, closed}. Times are milliseconds
// since 1970, `end` is null while it is open. `opened` and `closed` are sequences of events. `parts`
// are its attempts, or of a section the wait and the hold: {start, end, state, opened, closed}.
//
// States: "completed", "failed", "open" (it lasts), "left" (nobody waits for it any more), "waiting"
// and "held" (parts of a section).
import { describe, endedTask, isFailure, moment } from "./history.js";

const OPENS = {
  TaskScheduled: "activity",
  SubOrchestrationInstanceCreated: "child",
  TimerCreated: "timer",
  EntityOperationCalled: "entity",
  EntityLockRequested: "section",
};

const MOMENTS = {
  EventRaised: "event",
  EventSent: "sent",
  EntityOperationSignaled: "signal",
  OrchestrationStartSent: "start",
  CustomStatusSet: "order",
  ExecutionRewound: "order",
  ExecutionTerminated: "order",
};

/** By kind of deed, what people call it. */
export const KINDS = {
  execution: "execution",
  activity: "activity",
  timer: "timer",
  event: "event",
  child: "child",
  entity: "entity call",
  section: "critical section",
  signal: "signal",
  sent: "event sent",
  start: "start",
  order: "order",
  suspended: "suspended",
};

/**
 * The deeds in the order in which they began, the execution itself first.
 *
 * `waiting` is what the instance waits for now (`GET …/why`), if that is known: events have no event
 * in the history before they come, and only there stands which timers still count. `awaits` are
 * waits for events that an exported history tells of: [{name, start, end}].
 */
export function deedsOf(events, { waiting = null, awaits = [] } = {}) {
  const found = new Found();
  for (const event of events) found.take(event);
  found.finish(waiting, awaits);
  const [execution, ...rest] = found.deeds;
  return execution ? [execution, ...rest.sort((a, b) => a.start - b.start || a.opened - b.opened)] : [];
}

class Found {
  constructor() {
    this.deeds = [];
    this.byTask = new Map();
    this.suspended = null;
    this.execution = null;
    this.turn = 0;
    this.fired = [];
  }

  take(event) {
    const { EventType: type } = event;
    if (type === "OrchestratorStarted") Object.assign(this, { turn: event.sequence, fired: [] });
    if (type === "ExecutionStarted") this.begin(event);
    else if (type in OPENS) this.open(event);
    else if (endedTask(event) !== null) this.close(event);
    else if (type in MOMENTS) this.happened(event, MOMENTS[type]);
    else if (type === "ExecutionSuspended") this.suspended ??= this.add(event, "suspended", "suspended");
    else if (type === "ExecutionResumed") this.resume(event);
    else if (type === "ExecutionCompleted" || type === "ContinueAsNew") this.end(event);
    if (type === "ExecutionRewound") this.again(event);
  }

  begin(event) {
    // a suspension may stand before the start, yet the execution is the first deed
    this.execution = deed(event, "execution", event.Name);
    this.deeds.unshift(this.execution);
  }

  end(event) {
    if (!this.execution) return;
    const isGood = event.EventType === "ContinueAsNew" || event.OrchestrationStatus === "Completed";
    finish(this.execution, event, isGood ? "completed" : "failed");
    this.resume(event);
  }

  again(event) {
    if (this.execution) Object.assign(this.execution, { end: null, closed: null, state: "open" });
    for (const [old, task] of Object.entries(event.Again ?? {})) {
      const known = this.byTask.get(Number(old));
      if (known) this.attempt(known, event, task);
    }
  }

  open(event) {
    const first = this.byTask.get(event.FirstEventId);
    if (first) {
      this.attempt(first, event, event.EventId);
      return;
    }
    const kind = OPENS[event.EventType];
    const made = this.add(event, kind, nameOf(event, kind));
    made.parts.push(part(event, kind === "section" ? "waiting" : "open"));
    this.byTask.set(event.EventId, made);
  }

  attempt(known, event, task) {
    if (event.EventType === "TaskScheduled") this.dropPause(known);
    known.parts.push(part(event, "open"));
    Object.assign(known, { end: null, closed: null, state: "open" });
    this.byTask.set(task, known);
  }

  /** The timer between two attempts is a part of the retry, and no deed of the author's. */
  dropPause(known) {
    const failed = known.parts.at(-1);
    const isPause = (each) => each.turn === failed.turn && each.opened > failed.closed;
    const pause = this.fired.find((each) => !each.isPause && isPause(each));
    if (pause) pause.isPause = true;
  }

  close(event) {
    const known = this.byTask.get(endedTask(event));
    if (!known || known.end !== null) return;
    const last = known.parts.at(-1);
    last.turn = this.turn;
    if (known.kind === "timer") this.fired.push(known);
    if (event.EventType === "EntityLockGranted") {
      finish(last, event, "waiting");
      known.parts.push(part(event, "held"));
      return;
    }
    const state = isFailure(event) ? "failed" : "completed";
    finish(last, event, known.kind === "section" ? last.state : state);
    finish(known, event, state);
  }

  happened(event, kind) {
    finish(this.add(event, kind, nameOf(event, kind)), event, "completed");
  }

  resume(event) {
    if (this.suspended) finish(this.suspended, event, "completed");
    this.suspended = null;
  }

  add(event, kind, name) {
    const made = Object.assign(deed(event, kind, name), { turn: this.turn });
    this.deeds.push(made);
    return made;
  }

  finish(waiting, awaits) {
    this.deeds = this.deeds.filter((each) => !each.isPause);
    const isOver = this.execution !== null && this.execution.end !== null;
    const timers = waiting && timersOf(waiting);
    for (const each of this.deeds) {
      const isLeft = isOver || (each.kind === "timer" && timers && !timers.has(each.task));
      if (each.state === "open" && isLeft) leave(each);
    }
    for (const each of awaits) this.deeds.push(awaited(each));
    for (const each of waiting ?? []) {
      if (each.kind === "event" && this.execution) this.deeds.push(awaitedNow(each, this.execution));
    }
  }
}

function deed(event, kind, name) {
  return {
    key: `${kind}.${event.sequence}`,
    kind,
    name: name ?? "",
    target: event.InstanceId ?? event.TargetInstanceId ?? null,
    task: event.EventId,
    start: moment(event.Timestamp),
    end: null,
    until: kind === "timer" ? moment(event.FireAt) : null,
    state: "open",
    parts: [],
    opened: event.sequence,
    closed: null,
  };
}

const part = (event, state) => ({
  start: moment(event.Timestamp),
  end: null,
  state,
  opened: event.sequence,
  closed: null,
});

function finish(what, event, state) {
  // clocks of two hosts may differ: nothing ends before it began
  what.end = Math.max(what.start, moment(event.Timestamp));
  what.closed = event.sequence;
  what.state = state;
}

function leave(what) {
  what.state = "left";
  const last = what.parts.at(-1);
  if (last?.state === "open") last.state = "left";
}

const nameOf = (event, kind) =>
  kind === "timer" ? "timer" : kind === "entity" || kind === "signal"
    ? `${event.TargetInstanceId} ${event.Operation}`
    : describe(event).subject || describe(event).title;

/** The timers that `why` tells of; null if it has left some out, since then it proves nothing. */
function timersOf(waiting) {
  const kinds = new Set(waiting.map((each) => each.kind));
  if (waiting.length >= 1000 || kinds.has("suspended") || kinds.has("quarantined")) return null;
  return new Set(waiting.filter((each) => each.kind === "timer").map((each) => each.taskId));
}

const awaitedNow = (each, execution) =>
  awaited({ name: each.name, start: moment(each.since) ?? execution.start, end: null });

function awaited({ name, start, end }) {
  return {
    key: `await.${name}.${start}`,
    kind: "event",
    name: name ?? "an event",
    target: null,
    task: -1,
    start,
    end,
    until: null,
    state: end === null ? "open" : "completed",
    parts: [],
    opened: null,
    closed: null,
  };
}
