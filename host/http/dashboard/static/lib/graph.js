// What called what: functions as nodes, calls as edges with their counts, and a layered layout.
//
// A node: {id, kind, name, count, failed, open, layer, x, y}. An edge: {from, to, count, failed, kind}.

const CALLS = new Set(["activity", "child", "entity", "section", "signal", "sent", "start"]);

/** The graph of histories: [{name, deeds}], the one that was asked for first. */
export function graphOf(histories) {
  const nodes = new Map();
  const edges = new Map();
  for (const { name, deeds } of histories) {
    const caller = node(nodes, "orchestration", name);
    const [execution] = deeds;
    if (execution) count(caller, execution);
    for (const deed of deeds) {
      if (deed.kind === "event") edge(edges, node(nodes, "event", deed.name), caller, deed);
      else if (deed.kind === "timer") edge(edges, caller, node(nodes, "timer", "timers"), deed);
      else if (CALLS.has(deed.kind)) edge(edges, caller, calledNode(nodes, deed), deed);
    }
  }
  for (const each of edges.values()) {
    const called = each.kind === "event" ? each.from : each.to;
    // what was looked into counts by itself
    if (called.kind !== "orchestration" || !histories.some((one) => one.name === called.name)) {
      for (const what of ["count", "failed", "open"]) called[what] += each[what];
    }
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

function calledNode(nodes, deed) {
  if (deed.kind === "child" || deed.kind === "start") return node(nodes, "orchestration", deed.name);
  if (deed.kind === "activity") return node(nodes, "activity", deed.name);
  if (deed.kind === "sent") return node(nodes, "instance", deed.target ?? "another instance");
  if (deed.kind === "section") return node(nodes, "section", deed.name);
  return node(nodes, "entity", entityName(deed.target));
}

/** The entity's name: keys are many, and functions few. */
const entityName = (id) => /^@([^@]*)@/.exec(id ?? "")?.[1] ?? id ?? "an entity";

function node(nodes, kind, name) {
  const id = `${kind}\n${name}`;
  if (!nodes.has(id)) nodes.set(id, { id, kind, name, count: 0, failed: 0, open: 0 });
  return nodes.get(id);
}

function edge(edges, from, to, deed) {
  const id = `${from.id}\n${to.id}\n${deed.kind}`;
  if (!edges.has(id)) edges.set(id, { id, from, to, kind: deed.kind, count: 0, failed: 0, open: 0 });
  count(edges.get(id), deed);
}

function count(what, deed) {
  what.count += 1;
  if (deed.state === "failed") what.failed += 1;
  if (deed.state === "open") what.open += 1;
}

/**
 * Places for the nodes: by layers from left to right, callers left of what they call; within a layer
 * near to their callers. Gives {width, height}; sizes are those of one node, and of the gaps.
 */
export function layOut({ nodes, edges }, { width, height, gapX, gapY }) {
  const layers = [];
  for (const each of nodes) each.layer = null;
  const isRoot = (each) => !edges.some((one) => one.to === each && one.from !== each);
  const roots = nodes.filter(isRoot);
  const queue = (roots.length ? roots : nodes.slice(0, 1)).map((each) => [each, 0]);
  while (queue.length) {
    const [each, layer] = queue.shift();
    // the longest way counts, but no circle makes it endless
    if (each.layer !== null && (each.layer >= layer || layer > nodes.length)) continue;
    each.layer = layer;
    for (const one of edges) if (one.from === each && one.to !== each) queue.push([one.to, layer + 1]);
  }
  for (const each of nodes) (layers[each.layer ?? 0] ??= []).push(each);
  const filled = layers.filter(Boolean);
  const tallest = Math.max(...filled.map((each) => each.length), 1);
  const full = tallest * (height + gapY) - gapY;
  filled.forEach((layer, column) => {
    if (column) layer.sort((a, b) => middleOfCallers(a, edges) - middleOfCallers(b, edges));
    const top = (full - (layer.length * (height + gapY) - gapY)) / 2;
    layer.forEach((each, row) => {
      each.x = column * (width + gapX);
      each.y = top + row * (height + gapY);
    });
  });
  return { width: filled.length * (width + gapX) - gapX, height: full };
}

function middleOfCallers(node, edges) {
  const callers = edges.filter((one) => one.to === node && one.from.y !== undefined);
  return callers.reduce((sum, one) => sum + one.from.y, 0) / (callers.length || 1);
}
