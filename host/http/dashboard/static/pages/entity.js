// One entity: its state, who has locked it, who waits, and what can be done with it.
import { html, useState } from "../vendor/preact.js";
import { ApiError, del, get, hubPath, may, page as readPage, post, segment } from "../lib/api.js";
import { entityPath, keyOf } from "../lib/entities.js";
import { count } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { link, pagePath } from "../lib/router.js";
import { Action } from "../parts/action.js";
import { Loaded } from "../parts/loaded.js";
import { Card, PageHead } from "../parts/page_head.js";
import { Payload } from "../parts/payload.js";
import { SignalDialog } from "../parts/signal.js";
import { Status } from "../parts/status.js";
import { Table } from "../parts/table.js";
import { Tags } from "../parts/tags.js";
import { Time } from "../parts/time.js";

function Entity({ params: { name, key: part } }) {
  const key = keyOf(part);
  const entity = useLive((how) => readEntity(name, key, how), { events: true, key: [name, key] });
  const [isSignalling, setSignalling] = useState(false);
  const refresh = entity.refresh;
  return html`<${PageHead} title=${`${name} · ${key === "" ? "(empty key)" : key}`} note="An entity">
      ${may("operate") && html`<button type="button" class="button primary" onClick=${() => setSignalling(true)}>Signal…</button>`}
      <${Action} label="Delete" look="" isDanger run=${() => del(entityPath(name, key))} done="It is told to delete its state." onDone=${refresh}
        ask=${{ title: "Delete the state", action: "Delete", text: "The entity gets the operation 'delete', after those that wait already. Entities that are classes have it by themselves; a function must know it." }} /><//>
    <${Loaded} of=${entity} what="this entity">${(found) => html`<div class="stack">
      <${Facts} entity=${found} />
      <${Lock} lock=${found.lock} name=${name} entityKey=${key} onChange=${refresh} />
      <${Card} title="State">${found.hasState ? html`<${Payload} value=${found.state} name=${`${name}-${key}`} />` : html`<p class="muted">It has none.</p>`}<//>
    </div>`}<//>
    ${isSignalling && html`<${SignalDialog} name=${name} entityKey=${key} onClose=${() => setSignalling(false)} onDone=${refresh} />`}`;
}

/** {row, hasState, state, lock}; what there is not is null. */
async function readEntity(name, key, how) {
  const [state, lock, row] = await Promise.all([
    orNull(get(entityPath(name, key), {}, how).then((value) => ({ value }))),
    orNull(get(entityPath(name, key, "/lock"), {}, how)),
    key === "" ? null : rowOf(name, key, how), // a query cannot ask for the key that is empty
  ]);
  return { row, hasState: state !== null, state: state?.value, lock };
}

async function rowOf(name, key, how) {
  const { items } = await readPage(hubPath(`entities/${segment(name)}`), { key, includeWithoutState: true }, "", how);
  return items[0] ?? null;
}

async function orNull(reading) {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

function Facts({ entity: { row, lock, hasState } }) {
  return html`<${Card}><dl class="facts">
    <dt>State</dt><dd>${hasState ? html`<${Status} value="Has one" tone="good" />` : html`<${Status} value=${lock || row ? "None" : "There is no such entity"} tone="neutral" />`}</dd>
    <dt>Lock</dt><dd>${lock?.isLocked ? html`<${Status} value="Locked" tone="warning" />` : html`<${Status} value="Free" tone="neutral" />`}</dd>
    ${row && html`<dt>Last operation</dt><dd><${Time} value=${row.lastOperationTime} isExact /></dd>`}
    ${row?.tags && html`<dt>Tags</dt><dd><${Tags} tags=${row.tags} list="/entities" /></dd>`}
    ${row?.waitingReason && html`<dt>Its operations wait</dt><dd>${row.waitingReason}</dd>`}
  </dl><//>`;
}

function Lock({ lock, name, entityKey, onChange }) {
  if (!lock || (!lock.isLocked && lock.waiters.length === 0)) return null;
  const { holder } = lock;
  const rows = [...(holder ? [{ ...holder, part: "Has it" }] : []), ...lock.waiters.map((each, at) => ({ ...each, part: `Waits, number ${at + 1}` }))];
  const signals = lock.waitingSignals ?? 0;
  const columns = [
    { key: "part", label: "Lock" },
    { key: "instanceId", label: "Instance", isCode: true, view: ({ instanceId }) => html`<a href=${link(pagePath("instances", instanceId))}>${instanceId}</a>` },
    { key: "for", label: "For", view: ({ part, operation }) => (operation ? html`its operation <span class="code">${operation}</span>` : part === "Has it" ? "" : "the lock") },
    { key: "since", label: "Since", view: ({ since }) => html`<${Time} value=${since} />` },
  ];
  return html`<section><div class="section-head"><h2>Lock and who waits for it</h2>
      ${holder && html`<${Action} label="Unlock by force…" isDanger run=${() => post(entityPath(name, entityKey, "/unlock"), undefined, { holder: holder.instanceId })}
        done="It is unlocked." onDone=${onChange} ask=${{ title: "Unlock by force", action: "Unlock",
          text: `The critical section of ${holder.instanceId} goes on without this lock: others may change the entity meanwhile. It is unlocked only if that instance has it still.` }} />`}</div>
    <${Table} caption="Lock" columns=${columns} rows=${rows} rowKey=${({ instanceId, part }) => `${part} ${instanceId}`} />
    ${signals > 0 && html`<p class="muted">${signals === 1 ? "A signal waits" : `${count(signals)} signals wait`} for the end of the section.</p>`}</section>`;
}

export const page = { path: "/entities/:name/:key", title: ({ name, key }) => `${name} ${keyOf(key)}`, view: Entity };
