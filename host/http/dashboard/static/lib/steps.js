// An exported history turn by turn: what came in, what the code did with it, what was open after it.
import { describe, endedTask, openersOf } from "./history.js";

const CAME = new Set(["EventRaised", "ExecutionStarted", "ExecutionTerminated", "ExecutionSuspended", "ExecutionResumed",
  "ExecutionRewound", "CustomStatusSet", "TimerFired"]);
const OPENS = new Set(["TaskScheduled", "SubOrchestrationInstanceCreated", "TimerCreated", "EntityOperationCalled", "EntityLockRequested"]);

/** Whether an event came from outside; all others are what the code did. */
const isIncoming = (event) => CAME.has(event.EventType) || (endedTask(event) !== null && event.EventType !== "EntityUnlockSent");

/**
 * The turns: [{number, at, came, did, open, results, awaited, customStatus}]. `open` are the events
 * whose results were not there after the turn, `results` all that had come till then, by what was
 * asked. `customStatus` is known only where it was set by hand: undefined if the file does not tell.
 */
export function stepsOf(batches) {
  const openers = openersOf(batches.flatMap((batch) => batch.events));
  const open = new Map();
  let customStatus;
  return batches.map(({ number, events, awaited, letGo }) => {
    for (const event of events) {
      const ended = endedTask(event);
      if (ended !== null) open.delete(ended);
      if (OPENS.has(event.EventType)) open.set(event.EventId, event);
      if (event.EventType === "ExecutionRewound") again(open, openers, event);
      if (event.EventType === "CustomStatusSet") customStatus = event.Status;
      if (["ExecutionCompleted", "ContinueAsNew"].includes(event.EventType)) open.clear();
    }
    for (const task of letGo) open.delete(task);
    const shown = events.filter((event) => event.EventType !== "OrchestratorStarted");
    return {
      number,
      at: events[0].Timestamp,
      came: shown.filter(isIncoming),
      did: shown.filter((event) => !isIncoming(event)),
      open: [...open.values()],
      awaited,
      customStatus,
    };
  }).map((step) => ({ ...step, openers }));
}

function again(open, openers, event) {
  for (const task of Object.values(event.Again ?? {})) if (openers.has(task)) open.set(task, openers.get(task));
}

/** What an event is, in a line. */
export function lineOf(event, openers) {
  const { title, subject } = describe(event, openers.get(endedTask(event)));
  return { title, subject };
}
