// The graph of what called what, with the children if they are asked for.
import { html, useEffect, useMemo, useState } from "../../vendor/preact.js";
import { deedsOf } from "../../lib/deeds.js";
import { count } from "../../lib/format.js";
import { graphOf, layOut } from "../../lib/graph.js";
import { Empty, ErrorBox } from "../../parts/empty.js";
import { childrenOf } from "./tree.js";
import { historyOf } from "./read.js";

const NODE = { width: 154, height: 46, gapX: 58, gapY: 14 };
const MARGIN = 10;
const MOST_INSTANCES = 100;
const LABEL = 20;

/** `deeds` and `events` are of the instance whose function is `name`. */
export function Graph({ name, deeds, events }) {
  const [withChildren, setWithChildren] = useState(false);
  const { histories, isCut, isLoading, error } = useBelow(events, withChildren);
  const graph = useMemo(() => {
    const found = graphOf([{ name, deeds }, ...histories]);
    return { ...found, size: layOut(found, NODE) };
  }, [name, deeds, histories]);
  if (!deeds.length) return html`<${Empty} title="Nothing has happened yet" />`;
  const hasChildren = deeds.some((each) => each.kind === "child");
  return html`<div class="call-graph">
    <div class="event-tools">${hasChildren && html`<label class="check"><input type="checkbox" checked=${withChildren} onChange=${(event) => setWithChildren(event.target.checked)} /> What its children called, too</label>`}
      <span class="muted" role="status">${isLoading ? "Reading the children…" : isCut ? `Of more than ${count(MOST_INSTANCES)} instances below, the first are shown.` : ""}</span></div>
    <${ErrorBox} error=${error} />
    <div class="call-graph-box" tabindex="0" role="region" aria-label="Graph of calls"><${Picture} graph=${graph} /></div></div>`;
}

function useBelow(events, isWanted) {
  const [state, setState] = useState({ histories: [], isCut: false });
  const ids = childrenOf(events);
  useEffect(() => {
    if (!isWanted) {
      setState({ histories: [], isCut: false });
      return undefined;
    }
    const control = new AbortController();
    const set = (value) => control.signal.aborted || setState(value);
    set({ histories: [], isCut: false, isLoading: true });
    below(ids, control.signal).then(set, (error) => set({ histories: [], isCut: false, error }));
    return () => control.abort();
  }, [isWanted, ids.length]);
  return state;
}

async function below(children, signal) {
  const histories = [];
  const queue = [...children];
  while (queue.length && histories.length < MOST_INSTANCES) {
    const { instanceId, name } = queue.shift();
    try {
      const { events } = await historyOf(instanceId, { signal }, 2);
      histories.push({ name, deeds: deedsOf(events) });
      queue.push(...childrenOf(events));
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
  return { histories, isCut: queue.length > 0 };
}

function Picture({ graph }) {
  const { nodes, edges, size } = graph;
  const [width, height] = [size.width + 2 * MARGIN, size.height + 2 * MARGIN];
  return html`<svg width=${width} height=${height} viewBox=${`${-MARGIN} ${-MARGIN} ${width} ${height}`} role="img" aria-label=${inWords(edges)}>
    <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="arrow" d="M0 0L8 4L0 8z" /></marker>
      <marker id="failed-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="arrow failed" d="M0 0L8 4L0 8z" /></marker></defs>
    ${edges.map((each) => html`<${Edge} key=${each.id} edge=${each} />`)}
    ${nodes.map((each) => html`<${Node} key=${each.id} node=${each} />`)}</svg>`;
}

const inWords = (edges) =>
  edges.slice(0, 50).map(({ from, to, count: many }) => `${from.name} to ${to.name}, ${many}`).join("; ");

function Edge({ edge }) {
  const { from, to, count: many, failed } = edge;
  const tone = failed ? "edge failed" : "edge";
  const arrow = failed ? "url(#failed-arrow)" : "url(#arrow)";
  if (from === to) {
    const [x, y] = [from.x + NODE.width / 2, from.y];
    return html`<g class=${tone}><path d=${`M${x - 16} ${y}c-6 -14 38 -14 32 0`} marker-end=${arrow} /></g>`;
  }
  const isBack = to.x <= from.x;
  const [x1, y1] = [from.x + (isBack ? 0 : NODE.width), from.y + NODE.height / 2];
  const [x2, y2] = [to.x + (isBack ? NODE.width : 0), to.y + NODE.height / 2];
  const bend = (x2 - x1) / 2;
  return html`<g class=${tone}><path d=${`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 1} ${y2}`} marker-end=${arrow} />
    ${many > 1 && html`<text x=${x2 - (isBack ? -12 : 12)} y=${y2 - 6} text-anchor=${isBack ? "start" : "end"}>× ${count(many)}</text>`}</g>`;
}

const KINDS = { orchestration: "orchestrator", activity: "activity", entity: "entity", event: "event", timer: "", section: "critical section", instance: "another instance" };

function Node({ node }) {
  const { kind, name, x, y, count: many, failed, open } = node;
  const tally = [many > 1 && `× ${count(many)}`, failed > 0 && `${count(failed)} failed`, open > 0 && `${count(open)} open`].filter(Boolean).join(" · ");
  const state = failed ? "failed" : open ? "open" : "completed";
  return html`<g class=${`node node-${kind} node-${state}`} transform=${`translate(${x} ${y})`}><title>${name}</title>
    <rect width=${NODE.width} height=${NODE.height} rx="7" />
    <text class="node-name" x="10" y="19">${name.length > LABEL ? `${name.slice(0, LABEL - 1)}…` : name}</text>
    <text class="node-kind" x="10" y="36">${[KINDS[kind], tally].filter(Boolean).join(" · ")}</text></g>`;
}
