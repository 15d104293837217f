// One event of a history, or one deed of a timeline, in full.
import { html } from "../../vendor/preact.js";
import { entityPage } from "../../lib/entities.js";
import { duration } from "../../lib/format.js";
import { KINDS } from "../../lib/deeds.js";
import { describe, endedTask, failureOf, payloadOf } from "../../lib/history.js";
import { link, pagePath } from "../../lib/router.js";
import { Icon } from "../../parts/icon.js";
import { Payload } from "../../parts/payload.js";
import { Time } from "../../parts/time.js";
import { Failure, JsonText } from "./payloads.js";

/** The link to an instance or an entity, shown by its id. */
export function InstanceLink({ id, children }) {
  if (!id) return null;
  const [, entity, key] = /^@([^@]*)@(.*)$/s.exec(id) ?? [];
  const path = entity === undefined ? pagePath("instances", id) : entityPage(entity, key);
  return html`<a class="code" dir="ltr" href=${link(path)}>${children ?? id}</a>`;
}

/** A box beside what was chosen. */
export function Chosen({ title, onClose, children }) {
  return html`<aside class="chosen-box" aria-label=${title}>
    <header class="card-head"><h2>${title}</h2>
      <button type="button" class="plain" aria-label="Close details" onClick=${onClose}><${Icon} name="close" /></button></header>
    ${children}</aside>`;
}

/** All of an event; `onFork` is there if a fork may be made after it. */
export function EventDetails({ event, openers, onFork }) {
  const { title, subject } = describe(event, openers.get(endedTask(event)));
  const payload = payloadOf(event);
  const failure = failureOf(event);
  const target = event.InstanceId ?? event.TargetInstanceId;
  return html`<div class="details">
    <dl class="facts"><dt>What</dt><dd>${title}${subject && html` <b class="code">${subject}</b>`}</dd>
      <dt>Event</dt><dd>${event.sequence}${onFork && html` <button type="button" class="button small" onClick=${() => onFork(event.sequence)}>Fork from here</button>`}</dd>
      <dt>When</dt><dd><${Time} value=${event.Timestamp} isExact withMs /></dd>
      ${target && html`<dt>Of</dt><dd><${InstanceLink} id=${target} /></dd>`}
      ${event.FireAt && html`<dt>Due</dt><dd><${Time} value=${event.FireAt} isExact withMs /></dd>`}
    </dl>
    ${payload && html`<h3>${payload.label}</h3><${JsonText} text=${payload.text} name=${`event-${event.sequence}`} />`}
    ${failure && html`<h3>Failure</h3><${Failure} failure=${failure} />`}
    <details><summary>As it is stored</summary><${Payload} value=${event} name=${`event-${event.sequence}`} /></details>
  </div>`;
}

/** All of a deed: what it was given, what came of each attempt. `events` is the whole history. */
export function DeedDetails({ deed, events, now, onFork }) {
  const at = (sequence) => (sequence === null ? null : events[sequence - 1]);
  const [opener, closer] = [at(deed.opened), at(deed.closed)];
  const given = opener && payloadOf(opener);
  const came = closer && closer !== opener && payloadOf(closer);
  const tries = deed.parts.length > 1 && deed.kind !== "section";
  return html`<div class="details">
    <dl class="facts"><dt>What</dt><dd>${KINDS[deed.kind]} <b class="code">${deed.name}</b></dd>
      <dt>State</dt><dd>${STATES[deed.state]}</dd>
      ${deed.target && html`<dt>Of</dt><dd><${InstanceLink} id=${deed.target} /></dd>`}
      <dt>Began</dt><dd><${Time} value=${new Date(deed.start).toISOString()} isExact withMs /></dd>
      <dt>Took</dt><dd>${tookOf(deed, now)}${deed.kind === "activity" && html` <span class="muted">from when it was asked for: waiting for a place counts</span>`}</dd>
      ${deed.until !== null && html`<dt>Due</dt><dd><${Time} value=${new Date(deed.until).toISOString()} isExact withMs /></dd>`}
      ${deed.opened !== null && html`<dt>Events</dt><dd>${deed.opened}${deed.closed !== null && deed.closed !== deed.opened && ` to ${deed.closed}`}
        ${onFork && html` <button type="button" class="button small" onClick=${() => onFork(deed.opened - 1)}>Fork before it</button>`}</dd>`}
    </dl>
    ${given && html`<h3>${given.label}</h3><${JsonText} text=${given.text} name=${`event-${deed.opened}`} />`}
    ${tries && html`<h3>${deed.parts.length} attempts</h3><ol class="attempts">${deed.parts.map((each, place) => html`<li key=${place}>
      ${STATES[each.state]}, ${tookOf(each, now)}${at(each.closed)?.FailureDetails && html`: ${at(each.closed).FailureDetails.ErrorMessage}`}</li>`)}</ol>`}
    ${came && html`<h3>${came.label}</h3><${JsonText} text=${came.text} name=${`event-${deed.closed}`} />`}
    ${closer && failureOf(closer) && html`<h3>Failure</h3><${Failure} failure=${failureOf(closer)} />`}
  </div>`;
}

/** What the states of deeds are called. */
export const STATES = {
  completed: "completed",
  failed: "failed",
  open: "not over yet",
  left: "nobody waits for it any more",
  waiting: "waited for the lock",
  held: "held the lock",
};

/** How long something took, or takes. */
export function tookOf({ start, end, state }, now) {
  if (end !== null) return duration((end - start) / 1000);
  return state === "left" ? "–" : `${duration(Math.max(now - start, 0) / 1000)} so far`;
}
