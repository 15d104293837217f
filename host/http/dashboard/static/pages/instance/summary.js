// What an instance is, at a glance: facts, why it waits, and what it failed with.
import { html, useState } from "../../vendor/preact.js";
import { get, hubPath, segment, urlOf } from "../../lib/api.js";
import { isFinished } from "../../lib/actions.js";
import { count, duration, roughly, secondsBetween } from "../../lib/format.js";
import { link } from "../../lib/router.js";
import { ErrorBox } from "../../parts/empty.js";
import { Card } from "../../parts/page_head.js";
import { Payload } from "../../parts/payload.js";
import { Tags } from "../../parts/tags.js";
import { Time } from "../../parts/time.js";
import { InstanceLink } from "./details.js";
import { Failure, JsonText } from "./payloads.js";
import { instancePath } from "./read.js";

/** `started` is its ExecutionStarted event, if that was read; `tally` counts its deeds; `execution` is the whole run. */
export function Facts({ status, started, tally, events, isWhole, execution }) {
  const generation = started?.Generation ?? 0;
  const tags = status.tags ?? {};
  return html`<dl class="facts-row">
    <${Fact} label="Function"><a href=${link("/instances", { name: status.name })} title="All instances of it">${status.name}</a><//>
    <${Fact} label=${isFinished(status) ? "Took" : "For"}>${tookOf(status, execution)}<//>
    <${Fact} label="Created"><${Time} value=${status.createdTime} isExact /><//>
    <${Fact} label=${isFinished(status) ? "Ended" : "Changed"}><${Time} value=${status.lastUpdatedTime} isExact /><//>
    ${status.scheduledStartTime && html`<${Fact} label="Starts"><${Time} value=${status.scheduledStartTime} isExact /><//>`}
    ${status.version && html`<${Fact} label="Version">${status.version}<//>`}
    ${status.parentInstanceId && html`<${Fact} label="Parent"><${InstanceLink} id=${status.parentInstanceId} /><//>`}
    ${generation > 0 && html`<${Fact} label="Generation"><span title="It has continued as new so often. Histories of earlier generations are not kept.">${count(generation + 1)}<sup>th</sup> of this run</span><//>`}
    <${Fact} label="History">${events ? `${count(events.length)} events${isWhole ? "" : ", reading on…"}` : "–"}${tally.children > 0 && ` · ${count(tally.children)} children`}${tally.failed > 0 && ` · ${count(tally.failed)} failed`}<//>
    ${Object.keys(tags).length > 0 && html`<${Fact} label="Tags"><${Tags} tags=${tags} list="/instances" /><//>`}
    <${Fact} label="Raw"><a href=${urlOf(instancePath(status.instanceId))} target="_blank" rel="noreferrer">status</a>${" · "}<a href=${urlOf(instancePath(status.instanceId, "/history"))} target="_blank" rel="noreferrer">history</a><//>
  </dl>`;
}

/** Statuses know seconds only; where the history has all of the run, and no copy of another, it knows more. */
function tookOf(status, execution) {
  const isOver = isFinished(status);
  const isWhole = execution && execution.end !== null && !status.scheduledStartTime;
  if (isOver && isWhole && execution.start >= Date.parse(status.createdTime)) return duration((execution.end - execution.start) / 1000);
  return roughly(secondsBetween(status.createdTime, isOver ? status.lastUpdatedTime : null));
}

const Fact = ({ label, children }) => html`<div class="fact"><dt>${label}</dt><dd>${children}</dd></div>`;

const since = (each) => each.since && html` since <${Time} value=${each.since} />`;
const name = (each) => html`<b class="code">${each.name ?? "?"}</b>`;
/** What is in the way, such as who has locked the entity. */
const obstacle = (each) => each.reason && `; ${each.reason}`;

/** What a stored reason says of the next try: it is said here, in the zone that was chosen. */
const NEXT_TRY = /It is tried again at [\d:TZ-]+\. /;

/** By kind of waiting: what it says. */
const SENTENCES = {
  activity: (each) => html`It waits for the activity ${name(each)}${each.attempt > 1 && ` (attempt ${each.attempt})`}${since(each)}; ${each.host
    ? html`the host <span class="code">${each.host}</span> has it.` : "no host is known to have it."}`,
  timer: (each) => html`It waits for a timer until <${Time} value=${each.until} isExact />${since(each)}.`,
  event: (each) => html`It waits for ${each.name === null ? "an event whose name is not known" : html`the event ${name(each)}`}${since(each)}.`,
  subOrchestration: (each) => html`It waits for the sub-orchestration ${name(each)}, <${InstanceLink} id=${each.instanceId} />${since(each)}.`,
  entity: (each) => html`It waits for the operation ${name(each)} of <${InstanceLink} id=${each.instanceId} />${since(each)}${obstacle(each)}.`,
  entityLock: (each) => html`It waits for the lock of ${(each.name ?? "").split(", ").map((id) => html`<${InstanceLink} key=${id} id=${id} /> `)}${since(each)}${obstacle(each)}.`,
  limit: (each) => html`It waits for a slot of the limit <a class="code" href=${link("/limits")}>${each.name ?? "?"}</a>${each.reason && ` ${each.reason}`}${since(each)}.`,
  suspended: (each) => html`It is suspended${since(each)}, until it is resumed${each.reason && `: ${each.reason}`}.`,
  missingFunction: (each) => each.reason ?? `The function '${each.name}' is missing.`,
  quarantined: (each) => html`${each.until ? each.reason?.replace(NEXT_TRY, "") : each.reason ?? "It is quarantined."}${each.until && html` It is tried again at <${Time} value=${each.until} isExact />.`}`,
  scheduledStart: (each) => html`It is to start at <${Time} value=${each.until} isExact />.`,
  nothing: (each) => each.reason ?? "It waits for nothing.",
};
const BAD = new Set(["quarantined", "missingFunction"]);
const MOST = 8;

/** Why it does not go on, in words. */
export function Why({ status, waiting }) {
  const [isOpen, setOpen] = useState(false);
  if (isFinished(status) || !waiting) return null;
  const shown = isOpen ? waiting : waiting.slice(0, MOST);
  return html`<${Card} title="Why it waits"><ul class="why">
      ${shown.map((each, place) => html`<li key=${place} class=${BAD.has(each.kind) ? "why-bad" : ""}>${(SENTENCES[each.kind] ?? ((other) => `It waits: ${other.kind}.`))(each)}</li>`)}
    </ul>${waiting.length > MOST && html`<button type="button" class="plain link" onClick=${() => setOpen(!isOpen)}>${isOpen ? "Show fewer" : `Show all ${count(waiting.length)}`}</button>`}<//>`;
}

/** What it failed with, with its traceback. */
export function FailureCard({ status }) {
  if (!status.failureDetails) return null;
  return html`<${Card} title="Failure" isWide><${Failure} failure=${status.failureDetails} /><//>`;
}

/**
 * Its values, as the history has them: the texts that are stored. Without a history the input is read
 * when somebody wants to see it, since it may be large.
 */
export function Data({ status, started, ended }) {
  const { customStatus, output, instanceId } = status;
  const result = ended?.OrchestrationStatus === status.runtimeStatus ? ended.Result : null;
  return html`<div class="cards">
    <${Card} title="Input">${started ? html`<${JsonText} text=${started.Input} name=${`${instanceId}-input`} />` : html`<${Input} id=${instanceId} />`}<//>
    <${Card} title="Custom status">${customStatus === null ? html`<span class="muted">none</span>` : html`<${Payload} value=${customStatus} name=${`${instanceId}-custom-status`} />`}<//>
    <${Card} title="Output">${result !== null && result !== undefined ? html`<${JsonText} text=${result} name=${`${instanceId}-output`} />` : output === null ? html`<span class="muted">none</span>` : html`<${Payload} value=${output} name=${`${instanceId}-output`} />`}<//>
  </div>`;
}

/** The input of an instance that has no history. */
function Input({ id }) {
  const [found, setFound] = useState({ isRead: false });
  const read = async () => {
    try {
      setFound({ isRead: true, value: (await get(hubPath(`instances/${segment(id)}`))).input });
    } catch (error) {
      setFound({ isRead: false, error });
    }
  };
  if (!found.isRead) return html`<${ErrorBox} error=${found.error} /><button type="button" class="button small" onClick=${read}>Show it</button>`;
  return html`<${Payload} value=${found.value} name=${`${id}-input`} />`;
}
