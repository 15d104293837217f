// The timeline: what was done when. Only the lanes in sight are drawn, and what is too narrow is
// drawn together, so a history of 10,000 events is as quick as one of ten.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../vendor/preact.js";
import { count, duration } from "../../lib/format.js";
import { KINDS } from "../../lib/deeds.js";
import { idleOf, squeezeDeeds } from "../../lib/idle.js";
import { densityOf, evenTicksOf, lanesOf, marksOf, panned, spanOf, ticksOf, within, zoomed } from "../../lib/timeline.js";
import { Empty } from "../../parts/empty.js";
import { Icon } from "../../parts/icon.js";
import { Chosen, DeedDetails, STATES, tookOf } from "./details.js";

const ROW = 24;
const HEAD = 22;
/** So wide is the label of a tick, in pixels. */
const LABEL = 60;
/** So wide is a letter of a lane's label, about. */
const LETTER = 7.7;
const MOST_HEIGHT = 528;
const EXTRA = 4;
const BORDERS = 2;
const PIECES = 160;

export function Timeline({ deeds, events, now, onFork }) {
  const [grouping, setGrouping] = useState("function");
  const [isSqueezed, setSqueezed] = useState(true);
  const [chosen, setChosen] = useState(null);
  const idle = useMemo(() => idleOf(deeds, now), [deeds, now]);
  const time = isSqueezed && idle ? idle : null;
  const shown = useMemo(() => (time ? squeezeDeeds(deeds, time) : deeds), [deeds, time]);
  const lanes = useMemo(() => lanesOf(shown, grouping), [shown, grouping]);
  const present = time ? time.squeeze(now) : now;
  const span = spanOf(shown, present);
  const [view, setView] = useView(span);
  if (!deeds.length) return html`<${Empty} title="Nothing has happened yet">It has no history until it begins.<//>`;
  const deed = deeds.find((each) => each.key === chosen);
  const choose = (mark) => (mark.count ? setView(roomFor(mark, span)) : setChosen(mark.deed.key));
  const seen = { view, setView, span, time };
  return html`<div class="timeline">
    <${Tools} ...${seen} count=${deeds.length} hasIdle=${idle !== null} isSqueezed=${isSqueezed} setSqueezed=${setSqueezed} grouping=${grouping} setGrouping=${setGrouping} />
    <${Overview} ...${seen} deeds=${shown} />
    <${Lanes} ...${seen} lanes=${lanes} deeds=${shown} now=${present} chosen=${chosen} choose=${choose} setChosen=${setChosen} />
    <${Legend} />
    ${deed && html`<${Chosen} title=${KINDS[deed.kind]} onClose=${() => setChosen(null)}>
      <${DeedDetails} deed=${deed} events=${events} now=${now} onFork=${onFork} /><//>`}
  </div>`;
}

/** The part of time in view. Until somebody zooms it is all of it, however long it becomes. */
function useView(span) {
  const [kept, setKept] = useState(null);
  const view = kept ? within(kept, span) : span;
  const setView = (next) => setKept(next && next.to - next.from < (span.to - span.from) * 0.999 ? next : null);
  return [view, setView];
}

const roomFor = (mark, span) => {
  const length = Math.max(mark.to - mark.from, 0.02);
  return within({ from: mark.from - length * 0.05, to: mark.to + length * 0.05 }, span);
};

function Tools({ view, setView, span, time, count: many, hasIdle, isSqueezed, setSqueezed, grouping, setGrouping }) {
  const long = ({ from, to }) => duration((time ? time.stretch(to) - time.stretch(from) : to - from) / 1000);
  return html`<div class="timeline-tools">
    <span class="muted">${count(many)} bars · ${view === span ? long(span) : `${long(view)} of ${long(span)}`}</span>
    ${hasIdle && html`<label class="check"><input type="checkbox" checked=${isSqueezed} onChange=${(event) => setSqueezed(event.target.checked)} /> Squeeze idle time</label>`}
    <label class="inline">Lanes <select class="input small" value=${grouping} onChange=${(event) => setGrouping(event.target.value)}>
      <option value="function">by function</option><option value="deed">in order</option></select></label>
    <span class="button-group" role="group" aria-label="Zoom">
      <button type="button" class="button small" aria-label="Zoom out" title="Zoom out (−)" onClick=${() => setView(zoomed(view, 0.5, 0.5, span))}>−</button>
      <button type="button" class="button small" onClick=${() => setView(null)} title="All of it (0)">Fit</button>
      <button type="button" class="button small" aria-label="Zoom in" title="Zoom in (+)" onClick=${() => setView(zoomed(view, 2, 0.5, span))}>+</button>
    </span></div>`;
}

/** All of the time, small: where most happens, and which part is in view. Drag to choose another. */
function Overview({ deeds, span, view, setView }) {
  const counts = useMemo(() => densityOf(deeds, span, PIECES), [deeds, span.to]);
  const from = useRef(null);
  const most = Math.max(...counts, 1);
  const timeAt = (event) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    return span.from + ((event.clientX - left) / width) * (span.to - span.from);
  };
  const onDown = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    from.current = timeAt(event);
  };
  const onUp = (event) => {
    const [a, b] = [from.current, timeAt(event)].sort((x, y) => x - y);
    from.current = null;
    if (b - a > (span.to - span.from) / 200) setView(within({ from: a, to: b }, span));
  };
  const part = (time) => ((time - span.from) / (span.to - span.from)) * PIECES;
  return html`<svg class="timeline-overview" viewBox=${`0 0 ${PIECES} 20`} preserveAspectRatio="none" aria-hidden="true"
    onPointerDown=${onDown} onPointerUp=${onUp}>
    ${counts.map((each, place) => each > 0 && html`<rect key=${place} class="density" x=${place} width="0.9" y=${20 - 3 - (each / most) * 15} height=${3 + (each / most) * 15} />`)}
    <rect class="in-view" x=${part(view.from)} width=${Math.max(part(view.to) - part(view.from), 0.5)} y="0" height="20" />
  </svg>`;
}

function Lanes({ lanes, deeds, span, view, setView, time, now, chosen, choose, setChosen }) {
  const box = useRef();
  const [size, setSize] = useState({ width: 800, top: 0 });
  const labels = size.width < 560 ? 124 : 210;
  const width = Math.max(size.width - labels, 100);
  const latest = useRef();
  latest.current = { view, span, setView, width, labels };
  useLayoutEffect(() => watchSize(box.current, setSize), []);
  useEffect(() => steer(box.current, latest), []);
  const height = Math.min(lanes.length * ROW + HEAD + BORDERS, MOST_HEIGHT);
  const first = Math.max(Math.floor(size.top / ROW) - EXTRA, 0);
  const drawn = lanes.slice(first, first + Math.ceil(height / ROW) + 2 * EXTRA);
  const onKey = (event) => {
    const to = keyed(event.key, view, span);
    const next = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!to && !next) return;
    event.preventDefault();
    if (to) setView(to.view);
    else setChosen(nextKey(deeds, chosen, next));
  };
  return html`<div class="timeline-box" ref=${box} tabindex="0" role="group" onKeyDown=${onKey} style=${{ height: `${height}px` }}
    aria-label="Timeline. Left and right move it, plus and minus zoom, up and down choose a bar. The History tab has the same as a table."
    onScroll=${(event) => setSize((was) => ({ ...was, top: event.currentTarget.scrollTop }))}>
    <div style=${{ height: `${lanes.length * ROW + HEAD}px` }} class="timeline-all">
      <${Axis} view=${view} width=${width} labels=${labels} origin=${deeds[0].start} time=${time} />
      <svg class="timeline-lanes" width=${labels + width} height=${drawn.length * ROW} style=${{ top: `${first * ROW + HEAD}px` }}>
        <clipPath id="timeline-clip"><rect x=${labels} y="0" width=${width} height=${drawn.length * ROW} /></clipPath>
        <clipPath id="label-clip"><rect x="0" y="0" width=${labels - 6} height=${drawn.length * ROW} /></clipPath>
        ${drawn.map((each, place) => html`<rect key=${first + place} class=${(first + place) % 2 ? "lane odd" : "lane"} y=${place * ROW} width=${labels + width} height=${ROW} />`)}
        <g clip-path="url(#timeline-clip)">${gapsIn(time, view, width).map(({ x, width: long }) => html`<rect key=${x} class="idle" x=${labels + x} y="0" width=${long} height=${drawn.length * ROW} />`)}</g>
        ${drawn.map((each, place) => html`<${Lane} key=${first + place} lane=${each} y=${place * ROW} labels=${labels} width=${width}
          view=${view} now=${now} chosen=${chosen} choose=${choose} />`)}
      </svg>
    </div></div>`;
}

/** The idle time in view, as {x, width, length}. */
function gapsIn(time, view, width) {
  const scale = width / (view.to - view.from);
  return (time?.gaps ?? []).filter(({ from, to }) => to > view.from && from < view.to)
    .map(({ from, to, length }) => ({ x: (from - view.from) * scale, width: (to - from) * scale, length }));
}

function Axis({ view, width, labels, origin, time }) {
  const gaps = gapsIn(time, view, width);
  const ticks = time ? evenTicksOf(view, width, time.stretch(origin), time.stretch) : ticksOf(view, width, origin);
  const leftOf = (x) => (x > width - LABEL ? x - LABEL : x);
  const isFree = ({ x }) => !gaps.some((gap) => leftOf(x) > gap.x - LABEL && leftOf(x) < gap.x + gap.width);
  return html`<svg class="timeline-axis" width=${labels + width} height=${HEAD} aria-hidden="true">
    ${ticks.filter(isFree).map(({ x, after, step }) => html`<g key=${x} transform=${`translate(${labels + x} 0)`}>
      <line y1="16" y2=${HEAD} /><text x=${x > width - LABEL ? -4 : 4} text-anchor=${x > width - LABEL ? "end" : "start"} y="14">+${afterOf(after, step)}</text></g>`)}
    ${gaps.filter((gap) => gap.width > 50).map(({ x, width: long, length }) => html`<text key=${x} class="idle-label" x=${labels + Math.max(x, 0) + Math.min(long, width) / 2} text-anchor="middle" y="14">${duration(length / 1000, 1)}</text>`)}</svg>`;
}

/** A time since the beginning, as exact as the ticks are near to each other. */
const afterOf = (after, step) => {
  if (step < 1 && after < 1000) return `${after.toFixed(step < 0.1 ? 2 : 1)} ms`;
  return step < 100 && after >= 1000 && after < 60_000 ? `${(after / 1000).toFixed(3)} s` : duration(after / 1000);
};

function Lane({ lane, y, labels, width, view, now, chosen, choose }) {
  const tally = lane.count > 1 ? ` × ${count(lane.count)}` : "";
  const most = Math.floor((labels - 26) / LETTER) - tally.length;
  const label = lane.isMore ? "" : `${lane.name.length > most ? `${lane.name.slice(0, most - 1)}…` : lane.name}${tally}`;
  return html`<g transform=${`translate(0 ${y})`}>
    <g clip-path="url(#label-clip)"><circle class=${`kind-${lane.kind}`} cx="8" cy=${ROW / 2} r=${lane.isMore ? 0 : 4} />
      <text class="lane-label" x="18" y=${ROW / 2 + 4}>${label}<title>${KINDS[lane.kind]} ${lane.name}</title></text></g>
    <g clip-path="url(#timeline-clip)"><g transform=${`translate(${labels} 0)`}>
      ${marksOf(lane, view, width, now).map((mark) => html`<${Mark} key=${mark.deed ? mark.deed.key : mark.from} mark=${mark} kind=${lane.kind} now=${now} isChosen=${mark.deed?.key === chosen && !mark.count} choose=${choose} />`)}
    </g></g></g>`;
}

function Mark({ mark, kind, now, isChosen, choose }) {
  const { x, width, state, parts, count: many, deed } = mark;
  const title = many ? `${count(many)} ${KINDS[kind]} bars: click to zoom in` : `${KINDS[kind]} ${deed.name}: ${STATES[state]}${deed.end === null ? "" : `, ${tookOf(deed.real ?? deed, now)}`}`;
  const shape = many || parts.length === 0
    ? html`<rect class=${`bar state-${state} kind-${kind}`} x=${x} y=${many ? 3 : 5} width=${Math.max(width, 3)} height=${many ? ROW - 6 : ROW - 10} rx="2" />`
    : [html`<rect class="bar between" x=${x} y=${ROW / 2 - 1} width=${Math.max(width, 1)} height="2" />`,
      ...parts.map((each, place) => html`<rect key=${place} class=${`bar state-${each.state} kind-${kind}`} x=${each.x} y="5" width=${Math.max(each.width, 2)} height=${ROW - 10} rx="2" />`)];
  return html`<g class=${isChosen ? "mark chosen" : "mark"} onClick=${() => choose(mark)} data-deed=${many ? null : deed.key}>
    <title>${title}</title><rect class="reach" x=${x - 2} y="0" width=${Math.max(width, 3) + 4} height=${ROW} />${shape}
    ${many && width > 30 && html`<text class="many" x=${Math.max(x, 0) + 4} y=${ROW / 2 + 4}>${count(many)}</text>`}</g>`;
}

const Legend = () => html`<p class="timeline-legend muted">
  ${["completed", "failed", "open", "left"].map((each) => html`<span key=${each}><i class=${`swatch state-${each}`}></i>${STATES[each]}</span>`)}
  <span>Drag to move, Ctrl and wheel to zoom; keys: ← → + − 0, ↑ ↓ choose a bar.</span></p>`;

function keyed(key, view, span) {
  const moves = {
    ArrowLeft: () => panned(view, -0.2, span),
    ArrowRight: () => panned(view, 0.2, span),
    "+": () => zoomed(view, 1.6, 0.5, span),
    "=": () => zoomed(view, 1.6, 0.5, span),
    "-": () => zoomed(view, 1 / 1.6, 0.5, span),
    0: () => null,
  };
  return key in moves ? { view: moves[key]() } : null;
}

function nextKey(deeds, chosen, step) {
  const at = deeds.findIndex((each) => each.key === chosen);
  const place = at < 0 ? 0 : Math.min(Math.max(at + step, 0), deeds.length - 1);
  return deeds[place].key;
}

function watchSize(box, setSize) {
  const measure = () => setSize((was) => ({ ...was, width: box.clientWidth }));
  const observer = new ResizeObserver(measure);
  observer.observe(box);
  measure();
  return () => observer.disconnect();
}

/** Wheel and drag. They need listeners that may keep the page from scrolling. */
function steer(box, latest) {
  const partAt = (event) => {
    const { labels, width } = latest.current;
    return Math.min(Math.max((event.clientX - box.getBoundingClientRect().left - labels) / width, 0), 1);
  };
  const onWheel = (event) => {
    const { view, span, setView, width } = latest.current;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey || event.metaKey) setView(zoomed(view, Math.exp(-event.deltaY / 300), partAt(event), span));
    else if (Math.abs(sideways) > 0 && (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))) setView(panned(view, sideways / width, span));
    else return;
    event.preventDefault();
  };
  let from = null;
  const onDown = (event) => {
    if (event.button === 0 && event.pointerType !== "touch") from = { x: event.clientX, view: latest.current.view, isDrag: false };
  };
  const onMove = (event) => {
    if (!from || (!from.isDrag && Math.abs(event.clientX - from.x) < 4)) return;
    from.isDrag = true;
    const { span, setView, width } = latest.current;
    setView(panned(from.view, (from.x - event.clientX) / width, span));
  };
  const onUp = () => {
    if (from?.isDrag) addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }));
    from = null;
  };
  const swallow = (event) => event.stopPropagation();
  box.addEventListener("wheel", onWheel, { passive: false });
  box.addEventListener("pointerdown", onDown);
  addEventListener("pointermove", onMove);
  addEventListener("pointerup", onUp);
  return () => {
    removeEventListener("pointermove", onMove);
    removeEventListener("pointerup", onUp);
  };
}
