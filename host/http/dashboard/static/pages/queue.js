// One queue: what lies in it, and in its poison queue.
import { html, useState } from "../vendor/preact.js";
import { get, may } from "../lib/api.js";
import { bytes, count, duration } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { Empty } from "../parts/empty.js";
import { Loaded } from "../parts/loaded.js";
import { Card, PageHead } from "../parts/page_head.js";
import { Payload } from "../parts/payload.js";
import { poisonOf, Purge, PutDialog, queuePath, Redrive } from "../parts/queue.js";
import { Tabs } from "../parts/tabs.js";
import { Time } from "../parts/time.js";

const SHOWN = 100;

function Queue({ params: { name } }) {
  const queues = useLive(({ signal }) => get("/admin/queues", {}, { signal }));
  const [isPutting, setPutting] = useState(false);
  const queue = queues.data?.find((each) => each.name === name);
  const tabs = [
    { key: "messages", label: "Messages", view: () => html`<${Messages} name=${name} />` },
    { key: "poison", label: `Poison${queue?.poisoned ? ` (${count(queue.poisoned)})` : ""}`, view: () => html`<${Messages} name=${poisonOf(name)} />` },
  ];
  return html`<${PageHead} title=${name} note="A queue in the hub's own store">
      ${may("operate") && html`<button type="button" class="button" onClick=${() => setPutting(true)}>Put a message…</button>`}
      ${queue && html`<${Redrive} look="" queue=${queue} onDone=${queues.refresh} />`}<${Purge} look="" name=${name} onDone=${queues.refresh} /><//>
    ${queue && html`<div class="tiles">${[["Messages", count(queue.messages)], ["In work", count(queue.held)], ["Delayed", count(queue.delayed)],
      ["Oldest", duration(queue.oldestAgeSeconds, 1)], ["Size", bytes(queue.bytes)]].map(([label, value]) => html`<div key=${label} class="tile"><span class="tile-number">${value}</span>${label}</div>`)}</div>`}
    <${Tabs} tabs=${tabs} />
    ${isPutting && html`<${PutDialog} name=${name} onClose=${() => setPutting(false)} onDone=${queues.refresh} />`}`;
}

function Messages({ name }) {
  const messages = useLive(({ signal }) => get(queuePath(name, "/messages"), { top: SHOWN }, { signal }), { key: name });
  return html`<${Loaded} of=${messages} what="this queue">${(found) => (found.length === 0
    ? html`<${Empty} icon="queues" title=${`Nothing lies in ${name}`} />`
    : html`<div class="stack">${found.length === SHOWN && html`<p class="muted">The first ${SHOWN} messages.</p>`}
      ${found.map((each) => html`<${Message} key=${each.id} message=${each} />`)}</div>`)}<//>`;
}

function Message({ message: { id, body, dequeueCount, insertedAt, groupId, attributes } }) {
  const more = Object.entries(attributes);
  return html`<${Card}><dl class="facts">
      <dt>Id</dt><dd class="code">${id}</dd>
      <dt>Sent</dt><dd><${Time} value=${insertedAt} isExact /></dd>
      <dt>Tries</dt><dd>${count(dequeueCount)}</dd>
      ${groupId && html`<dt>Group</dt><dd>${groupId}</dd>`}
      ${more.map(([key, value]) => html`<dt key=${key}>${key}</dt><dd>${value}</dd>`)}
    </dl><${Payload} value=${body} isText name=${`message-${id}`} /><//>`;
}

export const page = { path: "/queues/:name", title: ({ name }) => name, view: Queue };
