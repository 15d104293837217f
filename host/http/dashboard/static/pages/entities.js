// Entities: a list by name and key.
import { html, useState } from "../vendor/preact.js";
import { get, hubPath, may, send } from "../lib/api.js";
import { entityNames, entityPage } from "../lib/entities.js";
import { count } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { usePaged } from "../lib/paged.js";
import { link, pagePath, useQuery } from "../lib/router.js";
import { Action } from "../parts/action.js";
import { Empty } from "../parts/empty.js";
import { Field } from "../parts/field.js";
import { Loaded } from "../parts/loaded.js";
import { PageHead } from "../parts/page_head.js";
import { Pager } from "../parts/pager.js";
import { SignalDialog } from "../parts/signal.js";
import { Status } from "../parts/status.js";
import { Table } from "../parts/table.js";
import { Tags } from "../parts/tags.js";
import { Time } from "../parts/time.js";
import { Typed, split } from "../parts/typed.js";

const TOKEN = "x-ms-continuation-token";
const IDLE_S = "1800";
const LISTS = ["tag"]; // the parameters that may stand in the URL several times

const COLUMNS = [
  { key: "name", label: "Entity", view: ({ entityId }) => entityId.name },
  { key: "key", label: "Key", isCode: true, view: ({ entityId: { name, key } }) => html`<a href=${link(entityPage(name, key))}>${key === "" ? "(empty)" : key}</a>` },
  { key: "hasState", label: "State", view: ({ hasState }) => (hasState ? html`<${Status} value="Has one" tone="good" />` : html`<${Status} value="None" tone="neutral" />`) },
  { key: "lockedBy", label: "Locked by", isCode: true, view: ({ lockedBy }) => lockedBy && html`<a href=${link(pagePath("instances", lockedBy))}>${lockedBy}</a>` },
  { key: "tags", label: "Tags", isWide: true, view: ({ tags }) => tags && html`<span class="clamp"><${Tags} tags=${tags} list="/entities" /></span>` },
  { key: "waitingReason", label: "Waits", isWide: true },
  { key: "lastOperationTime", label: "Last operation", view: ({ lastOperationTime }) => html`<${Time} value=${lastOperationTime} />` },
];

function Entities() {
  const [params] = useQuery(LISTS);
  const { name = "", key, keyPrefix, tag, onlyLocked, withoutState } = params;
  const functions = useLive(({ signal }) => get("/admin/functions", {}, { signal }), { everySeconds: 60 });
  const names = entityNames(functions.data ?? []);
  const ofName = name ? { key, keyPrefix } : {};
  const list = usePaged(name ? ["entities", name] : ["entities"], { ...ofName, tag: split(tag), onlyLocked, includeWithoutState: withoutState, top: 50 }, { events: true });
  const [isSignalling, setSignalling] = useState(false);
  return html`<${PageHead} title="Entities" note="State with a name and a key; each does one operation at a time.">
      ${may("operate") && html`<button type="button" class="button" onClick=${() => setSignalling(true)}>Signal…</button>`}
      <${Clean} onDone=${list.refresh} /><//>
    <${Filters} names=${names} />
    <${Loaded} of=${list} what="entities">${(rows) => html`<${Table} caption="Entities" columns=${COLUMNS} rows=${rows} rowKey=${({ entityId }) => `${entityId.name} ${entityId.key}`}
      rowLink=${({ entityId }) => entityPage(entityId.name, entityId.key)}
      empty=${html`<${Empty} icon="entities" title="No entities are found"><p>${names.length === 0 ? "No function of this host is an entity." : "One is there once something was sent to it."}</p><//>`} />`}<//>
    <${Pager} of=${list} />
    ${isSignalling && html`<${SignalDialog} names=${names} onClose=${() => setSignalling(false)} onDone=${list.refresh} />`}`;
}

function Filters({ names }) {
  const [params, setParams] = useQuery(LISTS);
  const { name = "" } = params;
  const options = [["", "All"], ...new Set(name && !names.some((each) => each.toLowerCase() === name.toLowerCase()) ? [name, ...names] : names)];
  const shown = names.find((each) => each.toLowerCase() === name.toLowerCase()) ?? name;
  const only = (key) => (isOn) => setParams({ [key]: isOn ? "true" : null });
  return html`<form class="filters" role="search" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
    <${Field} label="Entity" type="select" value=${shown} options=${options} onChange=${(value) => setParams(value ? { name: value } : { name: null, key: null, keyPrefix: null })} />
    <${Field} label="Key begins with" type="search" value=${params.keyPrefix ?? ""} disabled=${!name} onChange=${(value) => setParams({ keyPrefix: value, key: null })}
      title=${name ? "" : "Choose an entity first"} />
    <${Field} label="Key is" type="search" value=${params.key ?? ""} disabled=${!name} onChange=${(value) => setParams({ key: value, keyPrefix: null })}
      title=${name ? "" : "Choose an entity first"} />
    <${Typed} label="Tags" placeholder="name:value" name="tag" params=${params} setParams=${setParams} />
    <${Field} label="Only locked" type="checkbox" value=${params.onlyLocked === "true"} onChange=${only("onlyLocked")} />
    <${Field} label="Without a state, too" type="checkbox" value=${params.withoutState === "true"} onChange=${only("withoutState")} />
  </form>`;
}

function Clean({ onDone }) {
  return html`<${Action} label="Clean up…" look="" run=${({ idle }) => cleanAll(idle)} done=${wordsOf} onDone=${onDone} ask=${{
    title: "Clean the storage of entities", action: "Clean up",
    text: "Removes what is stored of entities that have no state, no tags and nothing to do, and unlocks those whose holder is gone. States stay.",
    fields: [{ name: "idle", label: "Only those that did nothing for so many seconds", type: "number", value: IDLE_S }],
  }} />`;
}

/** Goes through all pages; those that are only marked go when they are looked at again. */
async function cleanAll(idleFor) {
  const sum = { removed: 0, released: 0, marked: 0 };
  let token = "";
  do {
    const { body, response } = await send("POST", hubPath("cleanEntityStorage"), { params: { idleFor }, headers: token ? { [TOKEN]: token } : {} });
    sum.removed += body.emptyEntitiesRemoved;
    sum.released += body.orphanedLocksReleased;
    sum.marked += body.entitiesMarked;
    token = response.headers.get(TOKEN) ?? "";
    if (token && body.waitInSeconds > 0) await new Promise((resolve) => setTimeout(resolve, body.waitInSeconds * 1000));
  } while (token);
  return sum;
}

const wordsOf = ({ removed, released, marked }) =>
  `${count(removed)} removed, ${count(released)} unlocked${marked > removed ? `; ${count(marked - removed)} go when they are looked at again` : ""}.`;

export const page = { path: "/entities", title: "Entities", view: Entities, nav: { label: "Entities", icon: "entities", order: 2 } };
