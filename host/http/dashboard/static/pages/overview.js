// What the hub does, at a glance.
import { html } from "../vendor/preact.js";
import { get, hubPath, may } from "../lib/api.js";
import { bytes, count, duration } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { link, pagePath } from "../lib/router.js";
import { Bars } from "../parts/chart.js";
import { Empty, ErrorBox, Loading } from "../parts/empty.js";
import { Icon } from "../parts/icon.js";
import { Card, PageHead } from "../parts/page_head.js";
import { STATUSES, Status } from "../parts/status.js";
import { Time } from "../parts/time.js";

const SERIES = [{ key: "started", label: "started", tone: "info" }, { key: "failed", label: "failed", tone: "bad" }];
const SHOWN = 8;

function Overview() {
  const { data, error, refresh } = useLive(({ signal }) => get(hubPath("overview"), {}, { signal }), { events: true });
  return html`<${PageHead} title="Overview">${may("operate") && html`<a class="button primary" href=${link("/instances", { start: 1 })}><${Icon} name="plus" size=${15} />Start</a>`}<//>
    <${ErrorBox} error=${error} onRetry=${refresh} />
    ${data ? html`<${Hub} hub=${data} />` : !error && html`<${Loading} what="the hub" />`}`;
}

function Hub({ hub }) {
  return html`<${Counts} hub=${hub} />
    <div class="cards roomy">
      <${LastHour} series=${hub.series} />
      <${Failures} groups=${hub.recentFailures} />
      <${Card} title="Waiting the longest"><dl class="facts">
        <dt>Running</dt><dd><${Oldest} of=${hub.oldestRunning} /></dd>
        <dt>Not begun</dt><dd><${Oldest} of=${hub.oldestPending} /></dd></dl><//>
      <${Hosts} /><${Queues} /><${Limits} />
    </div>`;
}

function Counts({ hub }) {
  const shown = STATUSES.filter((each) => hub.counts[each] || ["Running", "Completed", "Failed"].includes(each));
  return html`<div class="tiles">
    ${shown.map((each) => html`<a key=${each} class="tile" href=${link("/instances", { runtimeStatus: each })}>
      <span class="tile-number">${count(hub.counts[each] ?? 0)}</span><${Status} value=${each} /></a>`)}
    <a class="tile" href=${link("/hosts")}><span class="tile-number">${count(hub.hosts)}</span><${Status} value=${hub.hosts === 1 ? "Host" : "Hosts"} tone="neutral" /></a>
    ${hub.quarantined > 0 && html`<a class="tile" href=${link("/quarantine")}><span class="tile-number">${count(hub.quarantined)}</span><${Status} value="Quarantined" tone="warning" /></a>`}
  </div>`;
}

function LastHour({ series }) {
  const buckets = series.started.map((started, at) => ({ started: started - Math.min(started, series.failed[at]), failed: series.failed[at] }));
  const sum = (numbers) => numbers.reduce((one, other) => one + other, 0);
  return html`<${Card} title="The last hour" note=${`${count(sum(series.started))} started, ${count(sum(series.failed))} of these failed`} isWide>
    <${Bars} label="Started and failed" from=${series.from} stepSeconds=${series.stepSeconds} buckets=${buckets} series=${SERIES} /><//>`;
}

function Oldest({ of }) {
  if (!of) return html`<span class="muted">none</span>`;
  return html`<${InstanceLink} id=${of.instanceId} /> <span class="muted">${of.name}, since <${Time} value=${of.createdTime} /></span>`;
}

const InstanceLink = ({ id }) => html`<a class="code" href=${link(pagePath("instances", id))}>${id}</a>`;

function Failures({ groups }) {
  if (groups.length === 0) return html`<${Card} title="Recent failures" isWide><p class="muted">None.</p><//>`;
  return html`<${Card} title="Recent failures" note="by error" isWide><ul class="plain-list">
    ${groups.slice(0, SHOWN).map(({ error, count: number, latest }) => html`<li key=${error} class="failure-group"><span class="failure-count">${count(number)}×</span>
      <span class="failure-text code">${error}</span><span class="muted">last <${InstanceLink} id=${latest.instanceId} /> <${Time} value=${latest.lastUpdatedTime} /></span></li>`)}
  </ul><//>`;
}

/** A card of what another operation tells; one that fails takes only its card. */
function Told({ title, path, to, children }) {
  const { data, error } = useLive(({ signal }) => get(path, {}, { signal }), { everySeconds: 10 });
  if (error?.status === 404) return null;
  return html`<${Card} title=${title} actions=${html`<a href=${link(to)}>All</a>`}>
    ${error ? html`<p class="error-text">${error.message}</p>` : data ? children(data) : html`<${Loading} />`}<//>`;
}

const Hosts = () => html`<${Told} title="Hosts" path=${hubPath("hosts")} to="/hosts">${(hosts) => html`<table class="small-table"><thead><tr><th>Host</th><th class="right">Leads</th><th class="right">Activities</th><th>Seen</th></tr></thead><tbody>
  ${hosts.slice(0, SHOWN).map(({ id, version, sessions, activities, lastSeenTime }) => html`<tr key=${id}><td title=${id}><span class="code">${id.slice(0, 12)}</span> <span class="muted">${version}</span></td>
    <td class="right">${count(sessions)}</td><td class="right">${count(activities)}</td><td><${Time} value=${lastSeenTime} /></td></tr>`)}</tbody></table>`}<//>`;

const Queues = () => html`<${Told} title="Queues" path="/admin/queues" to="/queues">${(queues) => (queues.length === 0 ? html`<p class="muted">No function waits for a queue.</p>` : html`<table class="small-table"><thead><tr><th>Queue</th><th class="right">Waiting</th><th class="right">Oldest</th><th class="right">Poisoned</th></tr></thead><tbody>
  ${queues.slice(0, SHOWN).map(({ name, messages, bytes: size, oldestAgeSeconds, poisoned }) => html`<tr key=${name}><td>${name}</td><td class="right" title=${bytes(size)}>${count(messages)}</td>
    <td class="right">${oldestAgeSeconds === undefined ? "–" : duration(oldestAgeSeconds, 1)}</td><td class=${poisoned ? "right error-text" : "right"}>${count(poisoned)}</td></tr>`)}</tbody></table>`)}<//>`;

const Limits = () => html`<${Told} title="Limits" path=${hubPath("limits")} to="/limits">${(limits) => (limits.length === 0 ? html`<p class="muted">host.json has none.</p>` : html`<table class="small-table"><thead><tr><th>Limit</th><th class="right">In use</th><th class="right">Waiting</th></tr></thead><tbody>
  ${limits.slice(0, SHOWN).map((each) => html`<tr key=${each.name}><td>${each.name}</td><td class="right">${count(each.inUse)}</td><td class="right">${count(each.waiting)}</td></tr>`)}</tbody></table>`)}<//>`;

export const page = { path: "/", title: "Overview", view: Overview, nav: { label: "Overview", icon: "overview", order: 0 } };
