// Two runs side by side: what they are, and where their histories part.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact.js";
import { get } from "../lib/api.js";
import { isFinished } from "../lib/actions.js";
import { aligned, firstDifference } from "../lib/align.js";
import { count, roughly, secondsBetween } from "../lib/format.js";
import { describe, endedTask, failureOf, openersOf, payloadOf } from "../lib/history.js";
import { useLive } from "../lib/live.js";
import { isNarrow } from "../lib/narrow.js";
import { useQuery } from "../lib/router.js";
import { useStore } from "../lib/store.js";
import { Empty, ErrorBox, Loading } from "../parts/empty.js";
import { Field } from "../parts/field.js";
import { PageHead } from "../parts/page_head.js";
import { Status } from "../parts/status.js";
import { Time } from "../parts/time.js";
import { EventDetails, InstanceLink } from "./instance/details.js";
import { historyOf, instancePath } from "./instance/read.js";

const ROW = 34;
const HIGH_ROW = 60; // one above the other, on a phone
const HEIGHT = 560;
const PREVIEW = 90;

function Compare() {
  const [{ a = "", b = "" }, setParams] = useQuery();
  return html`<${PageHead} title="Compare two instances" note="Their histories, deed by deed. When a turn began does not count as a difference." />
    <${Choice} a=${a} b=${b} onChoose=${setParams} />
    ${a && b ? html`<${Both} key=${`${a}\n${b}`} a=${a} b=${b} />` : html`<${Empty} title="Say which two" icon="compare">Give the ids of two instances: one that went well and one that did not, say.<//>`}`;
}

function Choice({ a, b, onChoose }) {
  const [ids, setIds] = useState({ a, b });
  useEffect(() => setIds({ a, b }), [a, b]);
  const submit = (event) => {
    event.preventDefault();
    onChoose({ a: ids.a.trim(), b: ids.b.trim() });
  };
  return html`<form class="compare-choice" onSubmit=${submit}>
    <${Field} label="First" value=${ids.a} onChange=${(id) => setIds({ ...ids, a: id })} />
    <${Field} label="Second" value=${ids.b} onChange=${(id) => setIds({ ...ids, b: id })} />
    <button type="submit" class="button primary">Compare</button>
    <button type="button" class="button" onClick=${() => onChoose({ a: b, b: a })}>Swap</button></form>`;
}

async function readRun(id, options) {
  const [status, history] = await Promise.all([
    get(instancePath(id), { showInput: false }, options),
    historyOf(id, options),
  ]);
  return { status, events: history.events, isWhole: history.isWhole };
}

/** Reads both; an id that is not there is named. */
async function readBoth(a, b, options) {
  return Promise.all([a, b].map((id) => readRun(id, options).catch((error) => {
    if (error.status === 404) error.message = `There is no instance '${id}'.`;
    throw error;
  })));
}

function Both({ a, b }) {
  const { data, error, refresh } = useLive((options) => readBoth(a, b, options), { everySeconds: 0, key: [a, b] });
  const rows = useMemo(() => data && aligned(data[0].events, data[1].events), [data]);
  if (error) return html`<${ErrorBox} error=${error} onRetry=${refresh} />`;
  if (!data) return html`<${Loading} what="both histories" />`;
  const first = firstDifference(rows);
  return html`<div class="compare-heads">${data.map((each, place) => html`<${Head} key=${place} run=${each} />`)}</div>
    <p role="status">${first < 0 ? html`<b>The histories are the same</b>, deed by deed.`
      : html`<b>They part at row ${count(first + 1)}</b> of ${count(rows.length)}; ${count(rows.filter((each) => !each.isSame).length)} rows differ.`}
      ${data[0].status.name !== data[1].status.name && " They are of different functions."}
      ${data.some((each) => !each.isWhole) && " Only the first part of a long history is compared."}</p>
    <${Rows} rows=${rows} first=${first} openers=${data.map((each) => openersOf(each.events))} />`;
}

function Head({ run: { status, events } }) {
  const seconds = secondsBetween(status.createdTime, isFinished(status) ? status.lastUpdatedTime : null);
  return html`<section class="card"><p><${Status} value=${status.runtimeStatus} /> <b>${status.name}</b>${status.version && ` ${status.version}`}</p>
    <p><${InstanceLink} id=${status.instanceId} /></p>
    <p class="muted"><${Time} value=${status.createdTime} isExact />, ${roughly(seconds)}, ${count(events.length)} events</p></section>`;
}

/** The rows in sight; at first those around the first difference. */
function Rows({ rows, first, openers }) {
  const box = useRef();
  const [top, setTop] = useState(0);
  const [chosen, setChosen] = useState(null);
  const high = useStore(isNarrow) ? HIGH_ROW : ROW;
  useEffect(() => {
    if (first > 0) box.current.scrollTop = Math.max(first - 4, 0) * high;
  }, [first, high]);
  const from = Math.max(Math.floor(top / high) - 8, 0);
  const drawn = rows.slice(from, from + Math.ceil(HEIGHT / high) + 16);
  const row = chosen === null ? null : rows[chosen];
  const onKey = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = Math.min(Math.max((chosen ?? first - step) + step, 0), rows.length - 1);
    setChosen(next);
    box.current.scrollTop = Math.max(Math.min(box.current.scrollTop, next * high), (next + 1) * high - box.current.clientHeight);
  };
  return html`<div class="event-box compare-box" ref=${box} tabindex="0" role="table" aria-label="Both histories" aria-rowcount=${rows.length}
      style=${{ maxHeight: `${HEIGHT}px` }} onKeyDown=${onKey} onScroll=${(event) => setTop(event.currentTarget.scrollTop)}>
    <div class="event-all" role="rowgroup" style=${{ height: `${rows.length * high}px` }}>
      ${drawn.map(({ left, right, isSame }, place) => {
        const at = from + place;
        const look = `compare-row${isSame ? "" : " differs"}${at === first ? " first" : ""}${at === chosen ? " chosen" : ""}`;
        return html`<div key=${at} class=${look} role="row" aria-rowindex=${at + 1} style=${{ top: `${at * high}px` }} onClick=${() => setChosen(at)}>
          <${Cell} event=${left} openers=${openers[0]} /><span role="cell" class="compare-mark" aria-label=${isSame ? "same" : "differs"}>${isSame ? "=" : "≠"}</span><${Cell} event=${right} openers=${openers[1]} /></div>`;
      })}
    </div></div>
    ${row && html`<div class="compare-heads">${[row.left, row.right].map((event, place) => html`<section key=${place} class="card">
      ${event ? html`<${EventDetails} event=${event} openers=${openers[place]} />` : html`<span class="muted">It has no such event.</span>`}</section>`)}</div>`}`;
}

function Cell({ event, openers }) {
  if (!event) return html`<span role="cell" class="compare-cell muted">–</span>`;
  const { title, subject } = describe(event, openers.get(endedTask(event)));
  const failure = failureOf(event);
  const value = failure ? `${failure.ErrorType}: ${failure.ErrorMessage}` : (payloadOf(event)?.text ?? "");
  return html`<span role="cell" class="compare-cell"><span class="muted">${event.sequence}</span> ${title} <b class="code">${subject}</b>${" "}
    <span class="code muted">${String(value).slice(0, PREVIEW)}</span></span>`;
}

export const page = { path: "/compare", title: "Compare", view: Compare, nav: { label: "Compare", icon: "compare", order: 80 } };
