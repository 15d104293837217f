// A file that `funchost export` or `GET …/export` wrote, read in the browser: nothing is sent
// anywhere. Each line is one instance; its events become those of `GET …/history`.
import { checked, ExportError } from "./exported_form.js";
import { moment } from "./history.js";

const FORMAT = 1;

// By tag number: the type, and what its members are called in the API.
const TASK = { task_id: "EventId" };
const ENDED = { task_id: "TaskScheduledId", result: "Result", failure: "FailureDetails" };
const CALLED = { ...TASK, name: "Name", instance_id: "InstanceId", input: "Input", version: "Version" };
const OPERATION = { ...TASK, instance_id: "TargetInstanceId", operation: "Operation", input: "Input" };
const WHY = { reason: "Reason" };
const TYPES = {
  0: ["ExecutionStarted", { name: "Name", input: "Input", version: "Version", tags: "Tags", generation: "Generation" }],
  1: ["ExecutionCompleted", { status: "OrchestrationStatus", result: "Result", failure: "FailureDetails" }],
  3: ["ExecutionTerminated", { reason: "Input" }],
  4: ["TaskScheduled", { ...TASK, name: "Name", input: "Input", attempt: "Attempt", max_attempts: "MaxAttempts",
    first_id: "FirstEventId" }],
  5: ["TaskCompleted", ENDED],
  6: ["TaskFailed", ENDED],
  7: ["SubOrchestrationInstanceCreated", CALLED],
  8: ["SubOrchestrationInstanceCompleted", ENDED],
  9: ["SubOrchestrationInstanceFailed", ENDED],
  10: ["TimerCreated", { ...TASK, fire_at: "FireAt" }],
  11: ["TimerFired", { task_id: "TimerId", fire_at: "FireAt" }],
  12: ["OrchestratorStarted", {}],
  14: ["EventSent", { ...TASK, instance_id: "InstanceId", name: "Name", input: "Input" }],
  15: ["EventRaised", { name: "Name", input: "Input" }],
  16: ["ContinueAsNew", { input: "Result", version: "NewVersion" }],
  19: ["ExecutionSuspended", WHY],
  20: ["ExecutionResumed", WHY],
  21: ["ExecutionRewound", { ...WHY, cut: "Cut", last_task_id: "LastTaskId", again: "Again" }],
  22: ["CustomStatusSet", { status: "Status" }],
  30: ["EntityOperationCalled", { ...OPERATION, section: "CriticalSection" }],
  31: ["EntityOperationSignaled", { ...OPERATION, scheduled_at: "ScheduledTime" }],
  32: ["EntityOperationCompleted", ENDED],
  33: ["EntityOperationFailed", ENDED],
  34: ["OrchestrationStartSent", CALLED],
  35: ["EntityCheckpoint", { state: "State", number: "Number", tags: "Tags" }],
  36: ["EntityLockRequested", { ...TASK, entities: "LockSet" }],
  37: ["EntityLockGranted", { task_id: "TaskScheduledId" }],
  38: ["EntityUnlockSent", { ...TASK, section: "CriticalSection", instance_id: "TargetInstanceId" }],
};

/** The lines of a file: [{instance, events, batches, error}]. Throws ExportError if none can be read. */
export function readExport(text) {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (!lines.length) throw new ExportError("The file is empty.");
  const found = lines.map((line, place) => readLine(line, place + 1));
  if (found.every((each) => each.error)) throw new ExportError(found[0].error);
  return found;
}

/** Whether the file has all of the export: its last line says how many lines there are. */
export const isWhole = (found) => found.at(-1).exported === found.length;

function readLine(line, number) {
  try {
    return { error: null, ...instanceOf(JSON.parse(line)) };
  } catch (error) {
    const why = whyNot(error);
    return { error: `Line ${number} is no exported instance: ${why}`, instance: null, events: [], batches: [] };
  }
}

function whyNot(error) {
  if (error instanceof ExportError) return error.message;
  return error instanceof SyntaxError ? "it is not JSON." : "its history has not the form of an export.";
}

function instanceOf(said) {
  if (said === null || typeof said !== "object" || !("format" in said)) {
    throw new ExportError("it names no format.");
  }
  if (said.format !== FORMAT) {
    throw new ExportError(`it is of the format ${said.format}, and this dashboard knows ${FORMAT}.`);
  }
  if ("error" in said) throw new ExportError(`its hub could not read it: ${said.error}`);
  if (!said.instance?.instance_id) throw new ExportError("it has no instance.");
  const batches = batchesOf(checked(said));
  const events = batches.flatMap((batch) => batch.events);
  return { instance: said.instance, events, batches, exported: said.exported ?? null };
}

/** The batches of the last execution: that one is the instance's history. */
function batchesOf({ instance, history = [] }) {
  const current = history.filter((each) => each.execution_id === instance.execution_id);
  let sequence = 0;
  return current.map(({ number, batch }) => ({
    number,
    awaited: batch.awaited ?? [],
    letGo: batch.let_go ?? [],
    events: batch.events.map((event) => eventOf(event, (sequence += 1))),
  }));
}

function eventOf(event, sequence) {
  const [type, members] = TYPES[event.type] ?? [`Event ${event.type}`, {}];
  const shown = { EventType: type, EventId: -1, Timestamp: event.timestamp, sequence };
  for (const [name, value] of Object.entries(event)) {
    const called = Object.hasOwn(members, name) && members[name];
    if (called) shown[called] = called === "FailureDetails" ? failureOf(value) : value;
  }
  return shown;
}

const failureOf = (failure) =>
  failure && {
    ErrorType: failure.error_type,
    ErrorMessage: failure.message,
    StackTrace: failure.stack_trace ?? null,
    InnerFailure: failureOf(failure.cause ?? null),
    Notes: failure.notes ?? [],
    SubFailures: (failure.sub_failures ?? []).map(failureOf),
  };

/** The status of an exported instance, as `GET instances/{id}` shows it; payloads are JSON texts. */
export function statusOf({ instance: row }) {
  return {
    instanceId: row.instance_id,
    name: row.name,
    runtimeStatus: row.status,
    createdTime: row.created_at,
    lastUpdatedTime: row.updated_at,
    version: row.version ?? null,
    tags: row.tags ?? {},
    failureDetails: failureOf(row.failure ?? null),
    texts: { input: row.input ?? null, output: row.output ?? null, customStatus: row.custom_status ?? null },
  };
}

/** Waits for events: from the turn after which an event was awaited to that in which it came. */
export function awaitsOf({ batches, instance }) {
  const open = new Map();
  const found = [];
  const last = batches.at(-1)?.events[0];
  for (const { events, awaited } of batches) {
    const now = moment(events[0].Timestamp);
    for (const event of events) {
      if (event.EventType === "EventRaised") close(open, found, event.Name, moment(event.Timestamp));
    }
    for (const name of open.keys()) if (!awaited.includes(name)) close(open, found, name, now);
    for (const name of awaited) if (!open.has(name)) open.set(name, now);
  }
  const isOver = last && ["Completed", "Failed", "Terminated"].includes(instance.status);
  const end = isOver ? moment(batches.at(-1).events.at(-1).Timestamp) : null;
  return [...found, ...[...open].map(([name, start]) => ({ name, start, end }))];
}

function close(open, found, name, end) {
  if (open.has(name)) found.push({ name, start: open.get(name), end });
  open.delete(name);
}
