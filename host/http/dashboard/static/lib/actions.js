// What can be done with an instance, by its state. The states are those of the management reference
// (docs/reference/management.md), and a test holds this table against the host's own.
const ACTIVE = ["scheduled", "pending", "running", "suspended", "quarantined", "blocked"];
const FINISHED = ["completed", "failed", "terminated"];

/** In the order of their buttons; those with `isMain` stand in the open, the others in a menu. */
export const ACTIONS = [
  { id: "raiseEvent", label: "Raise event", states: ACTIVE, isMain: true },
  { id: "suspend", label: "Suspend", states: ACTIVE.filter((each) => each !== "suspended"), isMain: true },
  { id: "resume", label: "Resume", states: ["suspended"], isMain: true },
  { id: "rewind", label: "Rewind", states: ["failed"], isMain: true },
  { id: "redrive", label: "Redrive", states: ["quarantined"], isMain: true },
  { id: "terminate", label: "Terminate", states: ACTIVE, isMain: true, isDanger: true },
  { id: "restart", label: "Restart", states: FINISHED, isMain: true },
  { id: "setCustomStatus", label: "Set custom status", states: ACTIVE },
  { id: "fork", label: "Fork", states: [...ACTIVE, ...FINISHED] },
  { id: "purge", label: "Purge", states: FINISHED, isDanger: true },
];

/** The state of an instance; `waiting` is its `waitingFor`. */
export function stateOf({ runtimeStatus }, waiting = []) {
  const kinds = new Set((waiting ?? []).map((each) => each.kind));
  if (kinds.has("quarantined")) return "quarantined";
  if (kinds.has("missingFunction")) return "blocked";
  if (kinds.has("scheduledStart")) return "scheduled";
  return runtimeStatus.toLowerCase();
}

/** Whether it has ended. */
export const isFinished = ({ runtimeStatus }) => FINISHED.includes(runtimeStatus.toLowerCase());

/** The actions that a state allows. */
export const actionsIn = (state) => ACTIONS.filter((each) => each.states.includes(state));
