// An exported history step by step.
import { html, useMemo, useState } from "../../vendor/preact.js";
import { count } from "../../lib/format.js";
import { failureOf, payloadOf } from "../../lib/history.js";
import { lineOf, stepsOf } from "../../lib/steps.js";
import { Empty } from "../../parts/empty.js";
import { Card } from "../../parts/page_head.js";
import { Time } from "../../parts/time.js";
import { Failure, JsonText } from "./payloads.js";

const MOST = 100;

export function Steps({ batches, status }) {
  const steps = useMemo(() => stepsOf(batches), [batches]);
  const [at, setAt] = useState(0);
  if (!steps.length) return html`<${Empty} title="It has not begun" />`;
  const step = steps[at];
  const isLast = at === steps.length - 1;
  const to = (place) => setAt(Math.min(Math.max(place, 0), steps.length - 1));
  const onKey = (event) => {
    const move = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: steps.length - 1 }[event.key];
    if (move === undefined || event.target.tagName === "INPUT") return;
    event.preventDefault();
    to(move);
  };
  return html`<div class="steps" onKeyDown=${onKey}>
    <div class="event-tools"><button type="button" class="button" disabled=${at === 0} onClick=${() => to(at - 1)}>Back</button>
      <button type="button" class="button primary" disabled=${isLast} onClick=${() => to(at + 1)}>Next turn</button>
      <input type="range" class="steps-range" aria-label="Turn" min="0" max=${steps.length - 1} value=${at} onInput=${(event) => to(Number(event.target.value))} />
      <span role="status">Turn <b>${count(at + 1)}</b> of ${count(steps.length)}, <${Time} value=${step.at} isExact withMs /></span></div>
    <div class="cards">
      <${Card} title="What came in"><${Lines} events=${step.came} openers=${step.openers} none="Nothing: it was woken for another reason." /><//>
      <${Card} title="What the code did"><${Lines} events=${step.did} openers=${step.openers} none="Nothing: it waits on." /><//>
      <${Card} title="After it"><${After} step=${step} status=${status} isLast=${isLast} /><//>
    </div></div>`;
}

function Lines({ events, openers, none }) {
  if (!events.length) return html`<span class="muted">${none}</span>`;
  return html`<ol class="step-lines">${events.slice(0, MOST).map((event) => {
    const { title, subject } = lineOf(event, openers);
    const [payload, failure] = [payloadOf(event), failureOf(event)];
    return html`<li key=${event.sequence} value=${event.sequence}>${title} <b class="code">${subject}</b>
      ${payload && html`<details><summary>${payload.label}</summary><${JsonText} text=${payload.text} name=${`event-${event.sequence}`} /></details>`}
      ${failure && html`<${Failure} failure=${failure} />`}</li>`;
  })}</ol>${events.length > MOST && html`<p class="muted">and ${count(events.length - MOST)} more: see History.</p>`}`;
}

function After({ step, status, isLast }) {
  return html`<dl class="facts"><dt>Open</dt><dd>${step.open.length === 0 ? html`<span class="muted">nothing</span>`
      : html`<ul class="step-lines">${step.open.slice(0, MOST).map((event) => html`<li key=${event.sequence}>${lineOf(event, step.openers).title} <b class="code">${lineOf(event, step.openers).subject}</b></li>`)}</ul>`}
      ${step.open.length > MOST && html`<p class="muted">and ${count(step.open.length - MOST)} more</p>`}</dd>
    <dt>Waits for events</dt><dd>${step.awaited.length ? step.awaited.map((name) => html`<b key=${name} class="code">${name} </b>`) : html`<span class="muted">none</span>`}</dd>
    <dt>Custom status</dt><dd>${isLast ? html`<${JsonText} text=${status.texts.customStatus} name="custom-status" />`
      : step.customStatus !== undefined ? html`<${JsonText} text=${step.customStatus} name="custom-status" />`
        : html`<span class="muted">a history keeps only the last one</span>`}</dd></dl>`;
}
