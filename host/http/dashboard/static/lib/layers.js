// Places for the nodes of a graph: in layers from left to right, what belongs together side by side.
// What goes in a circle is drawn with one edge that leads back.

const SWEEPS = 4;

/**
 * `nodes`: [{id}], `edges`: [{from, to}] by ids. Gives {places: Map of id to {x, y}, width, height}
 * for nodes of one size with these gaps between them.
 */
export function layOut(nodes, edges, { width, height, gapX, gapY }) {
  const places = new Map();
  let top = 0;
  let right = 0;
  for (const part of partsOf(nodes, edges)) {
    const layers = ordered(layersOf(part.nodes, part.edges), part.edges);
    const tallest = Math.max(...layers.map((layer) => layer.length));
    for (const [number, layer] of layers.entries()) {
      const start = top + ((tallest - layer.length) * (height + gapY)) / 2;
      for (const [at, id] of layer.entries()) places.set(id, { x: number * (width + gapX), y: start + at * (height + gapY) });
    }
    right = Math.max(right, layers.length * (width + gapX) - gapX);
    top += tallest * (height + gapY);
  }
  return { places, width: right, height: Math.max(0, top - gapY) };
}

/** The parts that no edge joins, the largest first. */
function partsOf(nodes, edges) {
  const next = neighbours(edges, true);
  const seen = new Set();
  const parts = [];
  for (const { id } of nodes) {
    if (seen.has(id)) continue;
    const found = [id];
    seen.add(id);
    for (const each of found) {
      for (const other of next.get(each) ?? []) {
        if (!seen.has(other)) {
          seen.add(other);
          found.push(other);
        }
      }
    }
    const own = new Set(found);
    parts.push({ nodes: found, edges: edges.filter(({ from }) => own.has(from)) });
  }
  return parts.sort((one, other) => other.nodes.length - one.nodes.length);
}

function neighbours(edges, isBothWays = false) {
  const next = new Map();
  const add = (from, to) => next.set(from, [...(next.get(from) ?? []), to]);
  for (const { from, to } of edges) {
    add(from, to);
    if (isBothWays) add(to, from);
  }
  return next;
}

/** Ids by layer: each is right of all that lead to it, but for those that lead back. */
function layersOf(ids, edges) {
  const forward = withoutCircles(ids, edges);
  const before = new Map(ids.map((id) => [id, 0]));
  const next = neighbours(forward);
  for (const { to } of forward) before.set(to, before.get(to) + 1);
  const layer = new Map(ids.map((id) => [id, 0]));
  const ready = ids.filter((id) => before.get(id) === 0);
  for (const id of ready) {
    for (const to of next.get(id) ?? []) {
      layer.set(to, Math.max(layer.get(to), layer.get(id) + 1));
      before.set(to, before.get(to) - 1);
      if (before.get(to) === 0) ready.push(to);
    }
  }
  // short edges: each as near as can be to what it leads to
  for (const id of ready.reverse()) {
    const following = (next.get(id) ?? []).map((to) => layer.get(to));
    if (following.length > 0) layer.set(id, Math.min(...following) - 1);
  }
  const layers = [];
  for (const id of ids) (layers[layer.get(id)] ??= []).push(id);
  return layers;
}

/** The edges without those that close a circle, as a walk from what nothing leads to meets them. */
function withoutCircles(ids, edges) {
  const next = neighbours(edges);
  const targets = new Set(edges.map(({ to }) => to));
  const state = new Map();
  const kept = [];
  const starts = [...ids.filter((id) => !targets.has(id)), ...ids];
  for (const start of starts) {
    if (state.has(start)) continue;
    const path = [[start, 0]];
    state.set(start, "open");
    while (path.length) {
      const step = path.at(-1);
      const to = (next.get(step[0]) ?? [])[step[1]++];
      if (to === undefined) {
        state.set(step[0], "closed");
        path.pop();
      } else if (state.get(to) !== "open") {
        kept.push({ from: step[0], to });
        if (!state.has(to)) {
          state.set(to, "open");
          path.push([to, 0]);
        }
      }
    }
  }
  return kept;
}

/** The same layers, each in the order that keeps edges short. */
function ordered(layers, edges) {
  const near = neighbours(edges, true);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const at = new Map(layers.flatMap((layer) => layer.map((id, number) => [id, number / layer.length])));
    const middle = (id) => {
      const others = near.get(id) ?? [];
      return others.reduce((sum, other) => sum + at.get(other), 0) / (others.length || 1);
    };
    for (const layer of layers) layer.sort((one, other) => middle(one) - middle(other));
  }
  return layers;
}
