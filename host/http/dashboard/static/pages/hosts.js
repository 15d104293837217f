// The hosts of the hub.
import { html, useState } from "../vendor/preact.js";
import { get, hubPath } from "../lib/api.js";
import { count } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { Dialog } from "../parts/dialog.js";
import { Empty } from "../parts/empty.js";
import { Loaded } from "../parts/loaded.js";
import { PageHead } from "../parts/page_head.js";
import { Status } from "../parts/status.js";
import { Table } from "../parts/table.js";
import { Time, useNow } from "../parts/time.js";

const LATE_MS = 150_000; // a host says every two minutes that it is there

function Hosts() {
  const hosts = useLive(({ signal }) => get(hubPath("hosts"), {}, { signal }));
  const status = useLive(({ signal }) => get("/admin/host/status", {}, { signal }), { everySeconds: 15 });
  const [shown, setShown] = useState(null);
  const now = useNow(10);
  const columns = [
    { key: "id", label: "Host", isCode: true, view: ({ id }) => html`<span title=${id}>${id.slice(0, 12)}</span>` },
    { key: "state", label: "State", view: ({ lastSeenTime }) => (now - new Date(lastSeenTime) > LATE_MS
      ? html`<${Status} value="Not heard of" tone="warning" />` : html`<${Status} value="There" tone="good" />`) },
    { key: "version", label: "Version" },
    { key: "appVersion", label: "App", view: ({ appVersion }) => appVersion ?? html`<span class="muted">–</span>` },
    { key: "startedTime", label: "Started", view: ({ startedTime }) => html`<${Time} value=${startedTime} />` },
    { key: "lastSeenTime", label: "As of", view: ({ lastSeenTime }) => html`<${Time} value=${lastSeenTime} />` },
    { key: "sessions", label: "Instances", align: "right", view: ({ sessions }) => count(sessions) },
    { key: "activities", label: "Activities", align: "right", view: ({ activities }) => count(activities) },
    { key: "functions", label: "Functions", align: "right", view: (host) => html`<button type="button" class="plain link" aria-label=${`${count(host.functions.length + (host.moreFunctions ?? 0))} functions of ${host.id.slice(0, 12)}`}
      onClick=${() => setShown(host)}>${count(host.functions.length + (host.moreFunctions ?? 0))}</button>` },
  ];
  return html`<${PageHead} title="Hosts" note="Each says every two minutes that it is there, and how much it has in work." />
    <${Problems} status=${status.data} />
    <${Loaded} of=${hosts} what="a list of hosts">${(rows) => html`<${Table} caption="Hosts" columns=${columns} rows=${rows} rowKey=${({ id }) => id}
      empty=${html`<${Empty} icon="hosts" title="No host has said that it is there yet" />`} />`}<//>
    ${shown && html`<${Functions} host=${shown} onClose=${() => setShown(null)} />`}`;
}

/** What the host that answers says is wrong. */
function Problems({ status }) {
  if (!status?.errors?.length) return null;
  return html`<section class="note-box" aria-label="What is wrong with this host"><strong>The host that answers this page says:</strong>
    <ul class="plain-list">${status.errors.map((text, at) => html`<li key=${at}>${text}</li>`)}</ul></section>`;
}

function Functions({ host, onClose }) {
  const more = host.moreFunctions ?? 0;
  return html`<${Dialog} title="Functions of the host" onClose=${onClose}><ul class="chips">${host.functions.map((name) => html`<li key=${name} class="chip code">${name}</li>`)}</ul>
    ${more > 0 && html`<p class="muted">and ${count(more)} more</p>`}<//>`;
}

export const page = { path: "/hosts", title: "Hosts", view: Hosts, nav: { label: "Hosts", icon: "hosts", order: 8 } };
