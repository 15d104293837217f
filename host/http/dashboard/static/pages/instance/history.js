// The history as a table: every event as it is stored. Only the rows in sight are drawn.
import { html, useMemo, useRef, useState } from "../../vendor/preact.js";
import { count, duration } from "../../lib/format.js";
import { GROUPS, describe, endedTask, failureOf, isFailure, moment, openersOf, payloadOf } from "../../lib/history.js";
import { isNarrow } from "../../lib/narrow.js";
import { useQuery } from "../../lib/router.js";
import { useStore } from "../../lib/store.js";
import { Empty } from "../../parts/empty.js";
import { Chosen, EventDetails } from "./details.js";

const ROW = 30;
const HIGH_ROW = 54; // two lines, on a phone
const HEIGHT = 540;
const EXTRA = 8;
const PREVIEW = 160;
const HEADS = ["#", "After", "Event", "About", "Value"];

/** The filters and the chosen event are kept in the URL. `onFork(sequence)` is there if forks are allowed. */
export function History({ events, isWhole = true, onFork }) {
  const [params, setParams] = useQuery();
  const { text = "", event: chosen = "" } = params;
  const group = params.group === "failed" || Object.hasOwn(GROUPS, params.group ?? "") ? params.group : "";
  const openers = useMemo(() => openersOf(events), [events]);
  const rows = useMemo(() => filtered(events, openers, group, text), [events, group, text]);
  const event = events[Number(chosen) - 1];
  return html`<div class="history">
    <div class="event-tools">
      <label class="inline">Show <select class="input small" value=${group} onChange=${(change) => setParams({ group: change.target.value })}>
        <option value="">all events</option>${Object.entries(GROUPS).map(([key, label]) => html`<option key=${key} value=${key} selected=${key === group}>${label}</option>`)}
        <option value="failed" selected=${group === "failed"}>Failures</option></select></label>
      <input class="input small" type="search" aria-label="Only events with this text" placeholder="Text in the event" value=${text}
        onInput=${(change) => setParams({ text: change.target.value })} />
      <span class="muted" role="status">${count(rows.length)} of ${count(events.length)} events${isWhole ? "" : ", reading on…"}</span>
    </div>
    ${rows.length === 0 ? html`<${Empty} title="No such event" />`
      : html`<${Rows} rows=${rows} openers=${openers} start=${moment(events[0].Timestamp)} chosen=${Number(chosen)} choose=${(sequence) => setParams({ event: sequence })} />`}
    ${event && html`<${Chosen} title=${`Event ${event.sequence}`} onClose=${() => setParams({ event: null })}>
      <${EventDetails} event=${event} openers=${openers} onFork=${onFork} /><//>`}
  </div>`;
}

function filtered(events, openers, group, text) {
  const sought = text.trim().toLowerCase();
  return events.filter((event) => {
    if (group === "failed" ? !isFailure(event) : group && describe(event).group !== group) return false;
    return !sought || textOf(event, openers).includes(sought);
  });
}

function textOf(event, openers) {
  const { title, subject } = describe(event, openers.get(endedTask(event)));
  return `${event.EventType} ${title} ${subject} ${previewOf(event, Infinity)} ${event.InstanceId ?? ""}`.toLowerCase();
}

function previewOf(event, most = PREVIEW) {
  const failure = failureOf(event);
  const text = failure ? `${failure.ErrorType}: ${failure.ErrorMessage}` : (payloadOf(event)?.text ?? "");
  return String(text).slice(0, most);
}

function Rows({ rows, openers, start, chosen, choose }) {
  const box = useRef();
  const [top, setTop] = useState(0);
  const row = useStore(isNarrow) ? HIGH_ROW : ROW;
  const first = Math.max(Math.floor(top / row) - EXTRA, 0);
  const drawn = rows.slice(first, first + Math.ceil(HEIGHT / row) + 2 * EXTRA);
  const onKey = (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const at = rows.findIndex((each) => each.sequence === chosen);
    const next = Math.min(Math.max(at + steps[event.key], 0), rows.length - 1);
    choose(rows[next].sequence);
    const view = box.current;
    view.scrollTop = Math.min(Math.max(view.scrollTop, (next + 2) * row - view.clientHeight), next * row);
  };
  return html`<div class="event-box" ref=${box} tabindex="0" role="table" aria-label="Events" aria-rowcount=${rows.length}
    style=${{ maxHeight: `${HEIGHT}px` }} onScroll=${(event) => setTop(event.currentTarget.scrollTop)} onKeyDown=${onKey}>
    <div class="event-head" role="row">${HEADS.map((each, place) => html`<span key=${each} role="columnheader" class=${place < 2 ? "right" : ""}>${each}</span>`)}</div>
    <div class="event-all" role="rowgroup" style=${{ height: `${rows.length * row}px` }}>
      ${drawn.map((event, place) => html`<${Row} key=${event.sequence} event=${event} opener=${openers.get(endedTask(event))} start=${start}
        y=${(first + place) * row} number=${first + place + 1} isChosen=${event.sequence === chosen} choose=${choose} />`)}
    </div></div>`;
}

function Row({ event, opener, start, y, number, isChosen, choose }) {
  const { title, group, subject } = describe(event, opener);
  const tone = isFailure(event) ? "failed" : group;
  return html`<div class=${`event-row${isChosen ? " chosen" : ""}`} role="row" aria-rowindex=${number} style=${{ top: `${y}px` }} onClick=${() => choose(event.sequence)}>
    <span role="cell" class="right muted">${event.sequence}</span>
    <span role="cell" class="right muted">+${duration((moment(event.Timestamp) - start) / 1000)}</span>
    <span role="cell"><i class=${`dot dot-${tone}`}></i>${title}</span>
    <span role="cell" class="code" dir="ltr" title=${subject}>${subject}</span>
    <span role="cell" class="code muted" dir="ltr">${previewOf(event)}</span></div>`;
}
