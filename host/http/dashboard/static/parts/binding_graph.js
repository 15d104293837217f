// The graph of functions and what they are bound to.
import { html, useMemo } from "../vendor/preact.js";
import { graphOf, hasClient, triggerOf, TRIGGERS } from "../lib/bindings.js";
import { layOut } from "../lib/layers.js";
import { link, pagePath } from "../lib/router.js";

const SIZE = { width: 176, height: 46, gapX: 44, gapY: 14 };
const KINDS = { function: "function", queue: "queue", blob: "files", table: "table", timer: "timer", http: "HTTP" };

export function BindingGraph({ functions }) {
  const { nodes, edges, alone } = useMemo(() => graphOf(functions), [functions]);
  const { places, width, height } = useMemo(() => layOut(nodes, edges, SIZE), [nodes, edges]);
  return html`${nodes.length > 0 && html`<div class="graph-box" tabindex="0" role="region" aria-label="Functions and what they are bound to">
      <div class="graph" style=${{ width: `${width + 2}px`, height: `${height + 2}px` }}>
        <svg class="graph-edges" width=${width + 2} height=${height + 2} aria-hidden="true">
          <defs><marker id="graph-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" /></marker></defs>
          ${edges.map(({ from, to }) => html`<path key=${`${from} ${to}`} d=${curve(places.get(from), places.get(to))} marker-end="url(#graph-arrow)" />`)}
        </svg>
        ${nodes.map((node) => html`<${Node} key=${node.id} node=${node} place=${places.get(node.id)} />`)}
      </div></div>`}
    <${Alone} functions=${alone} />`;
}

function Node({ node: { kind, label, fn }, place: { x, y } }) {
  const style = { left: `${x}px`, top: `${y}px`, width: `${SIZE.width}px`, height: `${SIZE.height}px` };
  const words = html`<span class="graph-kind">${KINDS[kind] ?? kind}${fn && hasClient(fn) ? " · starts orchestrations" : ""}</span><span class="graph-label" title=${label}>${label}</span>`;
  if (!fn) return html`<div class=${`graph-node graph-${kind}`} style=${style}>${words}</div>`;
  return html`<a class="graph-node graph-function" style=${style} href=${link(pagePath("functions", fn.name))}>${words}</a>`;
}

/** From the right side of one to the left side of the other; back in a bow if that lies left. */
function curve(from, to) {
  const [x1, y1] = [from.x + SIZE.width, from.y + SIZE.height / 2];
  const [x2, y2] = [to.x - 2, to.y + SIZE.height / 2];
  const bend = x2 > x1 ? (x2 - x1) / 2 : SIZE.gapX;
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

/** Those without an edge: what an orchestration calls, its code decides, and no binding says it. */
function Alone({ functions }) {
  const groups = TRIGGERS.map(([type, label]) => [label, functions.filter((fn) => triggerOf(fn)?.type === type)]).filter(([, found]) => found.length > 0);
  if (groups.length === 0) return null;
  return html`<section class="alone"><h2>Without a binding to draw</h2>
    <p class="muted">What an orchestration calls its code decides: the page of an instance draws it.</p>
    ${groups.map(([label, found]) => html`<h3 key=${label}>${label}</h3><ul class="chips">${found.map((fn) => html`<li key=${`${fn.name} ${fn.version}`}><a class="chip" href=${link(pagePath("functions", fn.name))}>${fn.name}</a></li>`)}</ul>`)}
  </section>`;
}
