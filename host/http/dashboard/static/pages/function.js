// One function: what it is bound to, how it does, and a run of it by hand.
import { html } from "../vendor/preact.js";
import { get, segment } from "../lib/api.js";
import { bindingsOf, triggerOf, triggerWords } from "../lib/bindings.js";
import { about, count, duration } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { link, pagePath } from "../lib/router.js";
import { Loaded } from "../parts/loaded.js";
import { Card, PageHead } from "../parts/page_head.js";
import { Payload } from "../parts/payload.js";
import { RunCard } from "../parts/run_function.js";
import { Status } from "../parts/status.js";
import { Table } from "../parts/table.js";
import { Time } from "../parts/time.js";

const HEAD = new Set(["type", "direction", "name"]);

function FunctionPage({ params: { name } }) {
  const fn = useLive(({ signal }) => get(`/admin/functions/${segment(name)}`, {}, { signal }), { everySeconds: 15, key: name });
  const stats = useLive(({ signal }) => get("/admin/functions/stats", {}, { signal }));
  const type = fn.data && triggerOf(fn.data)?.type;
  return html`<${PageHead} title=${name} note="A function of this host">
      ${type === "orchestrationTrigger" && html`<a class="button" href=${link("/instances", { name })}>Its instances</a>`}
      ${type === "entityTrigger" && html`<a class="button" href=${link("/entities", { name })}>Its entities</a>`}
      ${type === "timerTrigger" && html`<a class="button" href=${link("/schedules")}>Schedules</a>`}
      ${type === "queueTrigger" && html`<${QueueLink} trigger=${triggerOf(fn.data)} />`}<//>
    <${Loaded} of=${fn} what="this function">${(found) => (found.errors
      ? html`<div class="error-box"><div><strong>It does not load.</strong>${found.errors.map((text, at) => html`<p key=${at}>${text}</p>`)}</div></div>`
      : html`<div class="stack"><${Facts} fn=${found} /><${Stats} stats=${statsOf(stats.data, found.name)} /><${Bindings} fn=${found} />
          ${found.inputSchema && html`<${Card} title="Schema of its input"><${Payload} value=${found.inputSchema} name=${`${name}-schema`} /><//>`}
          <${RunCard} fn=${found} /></div>`)}<//>`;
}

function QueueLink({ trigger: { queueName, connection } }) {
  if (connection) return null;
  return html`<a class="button" href=${link(pagePath("queues", queueName))}>Its queue</a>`;
}

const statsOf = (stats, name) => (Array.isArray(stats) ? stats : []).find((each) => each.name === name);

function Facts({ fn }) {
  const words = triggerWords(fn);
  const { listener = {}, invoke_url_template: url, file } = fn;
  return html`<${Card}><dl class="facts">
    <dt>Trigger</dt><dd>${triggerOf(fn)?.type}${words && html` <code>${words}</code>`}</dd>
    ${fn.isDisabled && html`<dt>State</dt><dd><${Status} value="Disabled" tone="neutral" /></dd>`}
    ${fn.version && html`<dt>Version</dt><dd>${fn.version}</dd>`}
    ${url && html`<dt>URL</dt><dd class="code">${url}</dd>`}
    ${file && html`<dt>File</dt><dd class="code">${file}</dd>`}
    ${listener.nextDue && html`<dt>Next due</dt><dd><${Time} value=${listener.nextDue} isExact /></dd>`}
    ${fn.config.retry && html`<dt>Retry</dt><dd class="code">${JSON.stringify(fn.config.retry)}</dd>`}
  </dl><//>`;
}

function Stats({ stats }) {
  if (!stats) return null;
  const tiles = [["Runs", count(stats.runs)], ["In the last minute", stats.perMinute?.toFixed(1)], ["Failures", count(stats.failures)],
    ["Mean", duration(stats.meanSeconds)], ["95 % within", about(stats.p95Seconds)]];
  return html`<section><div class="section-head"><h2>Since the host started</h2></div>
    <div class="tiles">${tiles.map(([label, value]) => html`<div key=${label} class="tile"><span class="tile-number">${value ?? "–"}</span>${label}</div>`)}</div>
    ${stats.lastError && html`<div class="error-box"><div><strong>The last failure, <${Time} value=${stats.lastErrorTime} /></strong><p>${stats.lastError}</p></div></div>`}</section>`;
}

function Bindings({ fn }) {
  const columns = [
    { key: "type", label: "Type" },
    { key: "direction", label: "Direction" },
    { key: "name", label: "Parameter", isCode: true },
    { key: "more", label: "Properties", isWide: true, view: propertiesOf },
  ];
  return html`<section><div class="section-head"><h2>Bindings</h2></div>
    <${Table} caption="Bindings" columns=${columns} rows=${bindingsOf(fn)} rowKey=${({ type, name }) => `${type} ${name}`} /></section>`;
}

function propertiesOf(binding) {
  const all = Object.entries(binding).filter(([key]) => !HEAD.has(key));
  return all.length > 0 && html`<dl class="properties">${all.map(([key, value]) => html`<div key=${key}><dt>${key}</dt>
    <dd class="code">${typeof value === "string" ? value : JSON.stringify(value)}</dd></div>`)}</dl>`;
}

export const page = { path: "/functions/:name", title: ({ name }) => name, view: FunctionPage };
