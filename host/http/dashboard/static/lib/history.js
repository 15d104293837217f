// What the events of a history are: one table for the timeline, the history, the graph and the
// comparison. Events are those of `GET instances/{id}/history`, by Durable Task's names.
//
// An event's `sequence` is its number in the stored history, from 1 on: forks are asked for by it.

/** What a group of events is about; the History page filters by it. */
export const GROUPS = {
  execution: "Execution",
  turn: "Turns",
  activity: "Activities",
  timer: "Timers",
  event: "Events",
  child: "Children",
  entity: "Entities",
  order: "Orders",
};

const named = (event) => event.Name ?? "";
const nothing = () => "";
const at = (name, target) => (name && target ? `${name} of ${target}` : name || target || "");
const operation = (event) => at(event.Operation, event.TargetInstanceId);

/** By event type: its title, its group, and what it is about. */
const EVENTS = {
  OrchestratorStarted: ["Turn began", "turn", nothing],
  ExecutionStarted: ["Execution started", "execution", named],
  ExecutionCompleted: ["Execution ended", "execution", (event) => event.OrchestrationStatus],
  ContinueAsNew: ["Continued as new", "execution", nothing],
  ExecutionRewound: ["Rewound", "order", (event) => event.Reason],
  ExecutionTerminated: ["Terminated", "order", nothing],
  ExecutionSuspended: ["Suspended", "order", (event) => event.Reason],
  ExecutionResumed: ["Resumed", "order", (event) => event.Reason],
  CustomStatusSet: ["Custom status set by hand", "order", nothing],
  TaskScheduled: ["Activity scheduled", "activity", named],
  TaskCompleted: ["Activity completed", "activity", nothing],
  TaskFailed: ["Activity failed", "activity", nothing],
  SubOrchestrationInstanceCreated: ["Child created", "child", named],
  SubOrchestrationInstanceCompleted: ["Child completed", "child", nothing],
  SubOrchestrationInstanceFailed: ["Child failed", "child", nothing],
  OrchestrationStartSent: ["Orchestration started", "child", named],
  TimerCreated: ["Timer created", "timer", nothing],
  TimerFired: ["Timer fired", "timer", nothing],
  EventSent: ["Event sent", "event", (event) => at(event.Name, event.InstanceId)],
  EventRaised: ["Event received", "event", named],
  EntityOperationCalled: ["Entity called", "entity", operation],
  EntityOperationSignaled: ["Entity signaled", "entity", operation],
  EntityOperationCompleted: ["Operation completed", "entity", nothing],
  EntityOperationFailed: ["Operation failed", "entity", nothing],
  EntityCheckpoint: ["Entity stored", "entity", nothing],
  EntityLockRequested: ["Lock requested", "entity", (event) => (event.LockSet ?? []).join(", ")],
  EntityLockGranted: ["Lock granted", "entity", nothing],
  EntityUnlockSent: ["Unlocked", "entity", (event) => event.TargetInstanceId],
};

/** Whether an event says that something failed. */
export const isFailure = (event) =>
  event.FailureDetails != null || event.OrchestrationStatus === "Failed";

/** {title, group, subject} of an event. A type that this page does not know has its own name. */
export function describe(event, opener) {
  const [title, group, subject] = EVENTS[event.EventType] ?? [event.EventType, "execution", named];
  return { title, group, subject: subject(event) || (opener ? describe(opener).subject : "") };
}

/** The value of an event that is a JSON text (its input or result), or null; with its label. */
export function payloadOf(event) {
  const found = ["Input", "Result", "Status", "State"].find((name) => event[name] != null);
  return found ? { label: found, text: event[found] } : null;
}

/** What it failed with, or null. */
export const failureOf = (event) => event.FailureDetails ?? null;

/** By the type of an event that ends something: the member that says what it ends. */
const ENDS = {
  TaskCompleted: "TaskScheduledId",
  TaskFailed: "TaskScheduledId",
  SubOrchestrationInstanceCompleted: "TaskScheduledId",
  SubOrchestrationInstanceFailed: "TaskScheduledId",
  EntityOperationCompleted: "TaskScheduledId",
  EntityOperationFailed: "TaskScheduledId",
  EntityLockGranted: "TaskScheduledId",
  EntityUnlockSent: "CriticalSection",
  TimerFired: "TimerId",
};

/** The task that an event ends, or null. */
export const endedTask = (event) => event[ENDS[event.EventType]] ?? null;

/** What scheduled the tasks, by task id. */
export function openersOf(events) {
  const openers = new Map();
  for (const event of events) {
    if (event.EventId >= 0 && !openers.has(event.EventId)) openers.set(event.EventId, event);
    if (event.EventType === "ExecutionRewound") {
      // what is asked for again has a new task id, and no event of its own
      for (const [old, again] of Object.entries(event.Again ?? {})) {
        if (openers.has(Number(old))) openers.set(again, openers.get(Number(old)));
      }
    }
  }
  return openers;
}

/** Milliseconds since 1970 of a time of the API, with its microseconds; null for none. */
export function moment(text) {
  if (!text) return null;
  const parsed = Date.parse(text);
  const micros = /\.\d{3}(\d{1,3})/.exec(text);
  return micros ? parsed + Number(micros[1].padEnd(3, "0")) / 1000 : parsed;
}

/**
 * A JSON text with line breaks, or the text itself where it is not JSON. Its values stay the texts
 * that they are: a number that JavaScript would round is shown with all its digits. What is very
 * long stays as it is: to lay it out would take seconds.
 */
export function pretty(text) {
  if (text.length > LONGEST) return text;
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  const laidOut = (token) => {
    if (token === "," || token === ":") return token === "," ? `,${line()}` : ": ";
    if (/^[[{]\s*[\]}]$/.test(token)) return token.replace(/\s/g, "");
    if (token === "{" || token === "[") {
      depth += 1;
      return token + line();
    }
    if (token === "}" || token === "]") {
      depth -= 1;
      return line() + token;
    }
    return token;
  };
  return text.match(TOKENS).map(laidOut).join("");
}

const LONGEST = 400_000;
const TOKENS = /"(?:[^"\\]|\\.)*"|\{\s*\}|\[\s*\]|[{}[\],:]|[^\s"{}[\],:]+/g;
