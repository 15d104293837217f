// The limits of host.json: what is in use, who waits, and another limit in place of one.
import { html } from "../vendor/preact.js";
import { del, get, hubPath, put, segment } from "../lib/api.js";
import { count } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { Action } from "../parts/action.js";
import { Empty } from "../parts/empty.js";
import { Loaded } from "../parts/loaded.js";
import { Meter } from "../parts/meter.js";
import { Card, PageHead } from "../parts/page_head.js";
import { Status } from "../parts/status.js";
import { Table } from "../parts/table.js";
import { Time } from "../parts/time.js";

const pathOf = (limit) => hubPath(`limits/${segment(limit.name)}`);

function Limits() {
  const limits = useLive(({ signal }) => get(hubPath("limits"), {}, { signal }));
  return html`<${PageHead} title="Limits" note="How much runs at once, over all hosts of the hub." />
    <${Loaded} of=${limits} what="limits">${(found) => found.length === 0
      ? html`<${Empty} icon="limits" title="host.json has no limits"><p>A limit says how many runs of a function there may be at once, or in a second.</p><//>`
      : html`<div class="cards">${found.map((each) => html`<${Limit} key=${each.name} limit=${each} onChange=${limits.refresh} />`)}</div>`}<//>`;
}

function Limit({ limit, onChange }) {
  const { name, concurrency, rate, inUse, waiting, oldest, perKey, isChanged } = limit;
  return html`<${Card} title=${name} actions=${html`<span class="row">${isChanged && html`<${Status} value="Changed" tone="warning" />`}${perKey && html`<${Status} value="By key" tone="info" />`}</span>`}>
    <dl class="facts">
      ${concurrency !== undefined && html`<dt>At once</dt><dd>${count(concurrency)}${perKey && " for each key"}</dd>`}
      ${rate && html`<dt>Rate</dt><dd>${count(rate.count)} in ${rate.per}${perKey && " for each key"}</dd>`}
      <dt>In use</dt><dd>${concurrency !== undefined && !perKey ? html`<${Meter} value=${inUse} of=${concurrency} label=${`Slots of ${name} in use`} />` : count(inUse)}</dd>
      <dt>Waiting</dt><dd>${count(waiting)}${oldest && html` · the first since <${Time} value=${oldest} />`}</dd>
    </dl>
    ${limit.keys?.length > 0 && html`<${Keys} limit=${limit} />`}
    <div class="row card-foot">
      <${Action} label="Change…" name=${name} run=${(values) => put(pathOf(limit), given(values))} done=${`${name} is changed on all hosts.`} onDone=${onChange} ask=${{
        title: `Change ${name}`, action: "Change it", fields: fieldsOf(limit),
        text: "It wins over host.json on all hosts within ten seconds, until it is taken back. What runs already runs on.",
      }} />
      ${isChanged && html`<${Action} label="Take back" name=${name} run=${() => del(pathOf(limit))} done=${`${name} is what host.json says again.`} onDone=${onChange}
        ask=${{ title: `Take the change of ${name} back`, text: "The limit is what host.json says again." }} />`}
    </div><//>`;
}

function Keys({ limit }) {
  const columns = [
    { key: "key", label: "Key", isWide: true, isCode: true, view: ({ key }) => (key === "" ? html`<span class="muted">none</span>` : key) },
    { key: "inUse", label: "In use", align: "right", view: ({ inUse }) => count(inUse) },
    { key: "waiting", label: "Waiting", align: "right", view: ({ waiting }) => count(waiting) },
    { key: "oldest", label: "Since", view: ({ oldest }) => html`<${Time} value=${oldest} />` },
  ];
  return html`<${Table} caption=${`Keys of ${limit.name}`} columns=${columns} rows=${limit.keys} rowKey=${({ key }) => key} />
    ${limit.moreKeys > 0 && html`<p class="muted">and ${count(limit.moreKeys)} more keys</p>`}`;
}

const fieldsOf = ({ concurrency, rate }) => [
  { name: "concurrency", label: "At once", type: "number", value: concurrency ?? "", hint: "Empty: as many as come." },
  { name: "count", label: "How many may begin", type: "number", value: rate?.count ?? "", hint: "Empty: no rate." },
  { name: "per", label: "in a time of", value: rate?.per ?? "00:00:01", hint: "Hours, minutes, seconds: 00:00:01." },
];

function given({ concurrency, count: number, per }) {
  const limit = {};
  if (concurrency !== "") limit.concurrency = Number(concurrency);
  if (number !== "") limit.rate = { count: Number(number), per };
  return limit;
}

export const page = { path: "/limits", title: "Limits", view: Limits, nav: { label: "Limits", icon: "limits", order: 6 } };
