// What functions are bound to: their trigger and resources in words, and the graph that these make.

const BY_ORCHESTRATIONS = new Set(["orchestrationTrigger", "activityTrigger", "entityTrigger"]);
const CLIENTS = new Set(["durableClient", "orchestrationClient"]);
/** Of each kind: the property that names the resource, and what such a resource is called. */
const RESOURCES = {
  queueTrigger: ["queueName", "queue"],
  queue: ["queueName", "queue"],
  blobTrigger: ["path", "blob"],
  blob: ["path", "blob"],
  table: ["tableName", "table"],
};
/** Kinds of triggers in the order in which they are shown, with their names. */
export const TRIGGERS = [
  ["httpTrigger", "HTTP"],
  ["timerTrigger", "Timers"],
  ["queueTrigger", "Queues"],
  ["blobTrigger", "Files"],
  ["orchestrationTrigger", "Orchestrators"],
  ["activityTrigger", "Activities"],
  ["entityTrigger", "Entities"],
  ["manualTrigger", "By hand"],
  ["warmupTrigger", "At a start"],
];

const isTrigger = ({ type }) => type.endsWith("Trigger");

/** All bindings of a function as GET /admin/functions answers it; none if it does not load. */
export const bindingsOf = (fn) => fn.config?.bindings ?? [];
export const triggerOf = (fn) => bindingsOf(fn).find(isTrigger) ?? null;
/** Whether it can start orchestrations and signal entities; which ones, nobody can see from outside. */
export const hasClient = (fn) => bindingsOf(fn).some(({ type }) => CLIENTS.has(type));
/** Whether orchestrations run it, and nothing else does. */
export const isRunByOrchestrations = (fn) => BY_ORCHESTRATIONS.has(triggerOf(fn)?.type);

/** What triggers it, in a few words: "POST orders/{id}", "every 00:05:00". */
export function triggerWords(fn) {
  const trigger = triggerOf(fn);
  if (!trigger) return "";
  switch (trigger.type) {
    case "httpTrigger": return `${(trigger.methods ?? ["any"]).join(", ")} ${trigger.route ?? fn.name}`;
    case "timerTrigger": return [trigger.schedule, trigger.timeZone].filter(Boolean).join(" ");
    default: return resourceOf(trigger, fn)?.label ?? "";
  }
}

/** What it writes to, by names. */
export const outputsOf = (fn) =>
  bindingsOf(fn).filter(({ direction, type }) => direction === "out" && !CLIENTS.has(type))
    .map((binding) => resourceOf(binding, fn)?.label).filter(Boolean);

/** {id, kind, label} of what a binding is to; null if that is no thing with a name. */
export function resourceOf(binding, fn) {
  const { type } = binding;
  if (BY_ORCHESTRATIONS.has(type) || CLIENTS.has(type) || type === "http") return null;
  if (type === "httpTrigger") return made("http", triggerWords({ ...fn, config: { bindings: [binding] } }), fn.name);
  if (type === "timerTrigger") return made("timer", [binding.schedule, binding.timeZone].filter(Boolean).join(" "), fn.name);
  if (type === "manualTrigger" || type === "warmupTrigger") return null;
  const [property, kind] = RESOURCES[type] ?? [null, type.replace(/Trigger$/, "")];
  const name = property ? binding[property] : Object.entries(binding).find(([key, value]) => !["type", "direction", "name"].includes(key) && typeof value === "string")?.[1];
  return made(kind, name ?? kind, binding.connection ?? "");
}

// The names in braces say nothing: sales/{day}.csv and sales/{date}.csv are the same files.
const made = (kind, label, where) => ({ id: JSON.stringify([kind, label.replace(/\{[^}]*\}/g, "{}"), where]), kind, label });

/**
 * The graph of functions and what they are bound to: {nodes: [{id, kind, label, fn}], edges: [{from,
 * to}] by ids, alone: functions that are bound to nothing that has a name}.
 */
export function graphOf(functions) {
  const nodes = new Map();
  const edges = new Map();
  const alone = [];
  for (const fn of functions) {
    const own = { id: `function ${fn.name} ${fn.version ?? ""}`, kind: "function", label: fn.name, fn };
    const bound = bindingsOf(fn).map((binding) => [binding, resourceOf(binding, fn)]).filter(([, resource]) => resource);
    if (bound.length === 0) {
      alone.push(fn);
      continue;
    }
    nodes.set(own.id, own);
    for (const [{ direction }, resource] of bound) {
      if (!nodes.has(resource.id)) nodes.set(resource.id, resource);
      const [from, to] = direction === "out" ? [own.id, resource.id] : [resource.id, own.id];
      edges.set(`${from}\n${to}`, { from, to });
    }
  }
  for (const { from, to } of joinedFiles([...nodes.values()], [...edges.values()])) edges.set(`${from}\n${to}`, { from, to });
  return { nodes: [...nodes.values()], edges: [...edges.values()], alone };
}

/** From what is written to what is read, where every file that is written so is one that is read. */
function joinedFiles(nodes, edges) {
  const files = nodes.filter(({ kind }) => kind === "blob");
  const written = files.filter(({ id }) => edges.some(({ to }) => to === id));
  const read = files.filter(({ id }) => edges.some(({ from }) => from === id));
  return written.flatMap((one) => read.filter((other) => other !== one && where(one) === where(other) && covers(other.label, one.label))
    .map((other) => ({ from: one.id, to: other.id })));
}

const where = ({ id }) => JSON.parse(id)[2];

/** Whether a pattern finds each file of another: "a/{name}" those of "a/{day}.csv"; a container all in it. */
function covers(pattern, path) {
  if (!pattern.includes("/")) return path.startsWith(`${pattern}/`);
  const parts = pattern.split(/\{[^}]*\}/).map((part) => part.replace(/[.*+?^$()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".+")}$`, "s").test(path);
}
