// The queues in the hub's own store.
import { html, useState } from "../vendor/preact.js";
import { get, may } from "../lib/api.js";
import { bytes, count, duration } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { link, pagePath } from "../lib/router.js";
import { Empty } from "../parts/empty.js";
import { Loaded } from "../parts/loaded.js";
import { PageHead } from "../parts/page_head.js";
import { Purge, PutDialog, Redrive } from "../parts/queue.js";
import { Table } from "../parts/table.js";

const pageOf = (name) => pagePath("queues", name);

function Queues() {
  const queues = useLive(({ signal }) => get("/admin/queues", {}, { signal }));
  const [isPutting, setPutting] = useState(false);
  const columns = [
    { key: "name", label: "Queue", isCode: true, view: ({ name }) => html`<a href=${link(pageOf(name))}>${name}</a>` },
    { key: "messages", label: "Messages", align: "right", view: ({ messages }) => count(messages) },
    { key: "held", label: "In work", align: "right", view: ({ held }) => count(held) },
    { key: "delayed", label: "Delayed", align: "right", view: ({ delayed }) => count(delayed) },
    { key: "oldest", label: "Oldest", align: "right", view: ({ oldestAgeSeconds }) => duration(oldestAgeSeconds) },
    { key: "bytes", label: "Size", align: "right", view: (queue) => bytes(queue.bytes) },
    { key: "poisoned", label: "Poison", align: "right", view: ({ name, poisoned }) => (poisoned > 0 ? html`<a class="error-text" href=${link(pageOf(name), { tab: "poison" })}>${count(poisoned)}</a>` : "0") },
    { key: "do", label: "Actions", isActions: true, view: (queue) => html`<span class="row"><${Redrive} queue=${queue} onDone=${queues.refresh} /><${Purge} name=${queue.name} onDone=${queues.refresh} /></span>` },
  ];
  return html`<${PageHead} title="Queues" note="Those in the hub's own store; what failed too often lies in a queue's poison queue.">
      ${may("operate") && html`<button type="button" class="button" onClick=${() => setPutting(true)}>Put a message…</button>`}<//>
    <${Loaded} of=${queues} what="queues">${(rows) => html`<${Table} caption="Queues" columns=${columns} rows=${rows} rowKey=${({ name }) => name} rowLink=${({ name }) => pageOf(name)}
      empty=${html`<${Empty} icon="queues" title="No queue has anything yet"><p>A queue is there once something is sent to it.</p><//>`} />`}<//>
    ${isPutting && html`<${PutDialog} onClose=${() => setPutting(false)} onDone=${queues.refresh} />`}`;
}

export const page = { path: "/queues", title: "Queues", view: Queues, nav: { label: "Queues", icon: "queues", order: 5 } };
