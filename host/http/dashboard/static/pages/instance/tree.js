// The tree of parents and children. A branch is read when it is opened, and many children a part at a time.
import { html, useEffect, useState } from "../../vendor/preact.js";
import { get, hubPath, page } from "../../lib/api.js";
import { isFinished } from "../../lib/actions.js";
import { count, roughly, secondsBetween } from "../../lib/format.js";
import { ErrorBox, Loading } from "../../parts/empty.js";
import { Icon } from "../../parts/icon.js";
import { Status } from "../../parts/status.js";
import { InstanceLink } from "./details.js";
import { historyOf, instancePath } from "./read.js";

const MOST_PARENTS = 50;
const PART = 50;
const LIGHT = { showInput: false, showOutput: false };

/** `events` is the instance's own history. */
export function Tree({ status, events }) {
  const parents = useParents(status);
  return html`<div class="tree">
    ${parents.error && html`<${ErrorBox} error=${parents.error} />`}
    ${parents.isLoading && html`<${Loading} what="parents" />`}
    ${!parents.isLoading && html`<ul role="tree" aria-label="Parents and children">${inside(parents.found, status, events)}</ul>`}
  </div>`;
}

/** The instance below its parents, the root outermost. */
function inside([root, ...rest], status, events) {
  if (!root) return html`<${Branch} status=${status} events=${events} isOpen isSelf />`;
  return html`<li role="treeitem" aria-expanded="true" class="branch"><${Line} status=${root} />
    <ul role="group">${inside(rest, status, events)}</ul></li>`;
}

function useParents({ instanceId, parentInstanceId }) {
  const [state, setState] = useState({ found: [], isLoading: true });
  useEffect(() => {
    const control = new AbortController();
    const set = (value) => control.signal.aborted || setState(value);
    parentsOf(parentInstanceId, control.signal).then(
      (found) => set({ found, isLoading: false }),
      (error) => set({ found: [], isLoading: false, error }),
    );
    return () => control.abort();
  }, [instanceId, parentInstanceId]);
  return state;
}

async function parentsOf(first, signal) {
  const found = [];
  for (let id = first; id && found.length < MOST_PARENTS;) {
    const parent = await statusOr(id, signal);
    found.unshift(parent);
    id = parent.parentInstanceId;
  }
  return found;
}

/** The status, or what is shown of one that is gone. */
async function statusOr(id, signal) {
  try {
    return await get(instancePath(id), { showInput: false }, { signal });
  } catch (error) {
    if (error.status !== 404) throw error;
    return { instanceId: id, name: "", runtimeStatus: "Gone", createdTime: null };
  }
}

/** The children that a history tells of: {instanceId, name}. */
export const childrenOf = (events) =>
  events.filter((each) => each.EventType === "SubOrchestrationInstanceCreated").map((each) => ({ instanceId: each.InstanceId, name: each.Name }));

function Branch({ status, events, isOpen: isOpenFirst = false, isSelf = false }) {
  const [isOpen, setOpen] = useState(isOpenFirst);
  const { children, error } = useChildren(status, events, isOpen);
  const [shown, setShown] = useState(PART);
  const hasNone = children?.length === 0;
  return html`<li role="treeitem" aria-expanded=${hasNone ? undefined : isOpen} class=${isSelf ? "branch self" : "branch"}>
    ${hasNone ? html`<span class="twig"></span>` : html`<button type="button" class="plain twig" aria-label=${isOpen ? "Close" : "Open"} onClick=${() => setOpen(!isOpen)}><${Icon} name=${isOpen ? "down" : "right"} size=${14} /></button>`}
    <${Line} status=${status} isSelf=${isSelf} />
    ${isSelf && hasNone && html`<p class="muted">It has no children.</p>`}
    ${isOpen && html`<${ErrorBox} error=${error} />`}
    ${isOpen && !children && !error && html`<span class="muted"> reading…</span>`}
    ${isOpen && children?.length > 0 && html`<ul role="group"><${Children} parent=${status.instanceId} children=${children.slice(0, shown)} />
      ${children.length > shown && html`<li role="treeitem"><button type="button" class="plain link" onClick=${() => setShown(shown + 4 * PART)}>Show more: ${count(children.length - shown)} left</button></li>`}</ul>`}
  </li>`;
}

function useChildren(status, events, isOpen) {
  const [state, setState] = useState({});
  useEffect(() => {
    if (events || !isOpen || status.runtimeStatus === "Gone") return undefined;
    const control = new AbortController();
    const set = (value) => control.signal.aborted || setState(value);
    historyOf(status.instanceId, { signal: control.signal }).then(
      (found) => set({ children: childrenOf(found.events) }),
      (error) => set({ error }),
    );
    return () => control.abort();
  }, [status.instanceId, isOpen, Boolean(events)]);
  if (status.runtimeStatus === "Gone") return { children: [] };
  return events ? { children: childrenOf(events) } : state;
}

/** Children with their statuses: those whose ids come from the parent's in one list, others one by one. */
function Children({ parent, children }) {
  const [found, setFound] = useState(new Map());
  const [error, setError] = useState(null);
  const missing = children.map((each) => each.instanceId).filter((id) => !found.has(id));
  useEffect(() => {
    if (!missing.length) return undefined;
    const control = new AbortController();
    statusesOf(parent, missing, control.signal).then(
      (more) => control.signal.aborted || setFound(new Map([...found, ...more])),
      (failure) => control.signal.aborted || setError(failure),
    );
    return () => control.abort();
  }, [missing.join("\n")]);
  if (error) return html`<li role="treeitem"><${ErrorBox} error=${error} /></li>`;
  return children.map((each, place) => found.has(each.instanceId)
    ? html`<${Branch} key=${`${place}.${each.instanceId}`} status=${found.get(each.instanceId)} />`
    : html`<li key=${`${place}.${each.instanceId}`} role="treeitem" class="branch"><span class="twig"></span><span class="muted">${each.name} …</span></li>`);
}

async function statusesOf(parent, ids, signal) {
  const found = new Map();
  const { items } = await page(hubPath("instances"), { ...LIGHT, instanceIdPrefix: `${parent}:`, top: 1000 }, "", { signal });
  for (const each of items) found.set(each.instanceId, each);
  for (const id of ids) if (!found.has(id)) found.set(id, await statusOr(id, signal));
  return found;
}

function Line({ status, isSelf = false }) {
  const { instanceId, name, runtimeStatus, createdTime, lastUpdatedTime } = status;
  const isGone = runtimeStatus === "Gone";
  return html`<span class="tree-line"><${Status} value=${isGone ? "Not there any more" : runtimeStatus} tone=${runtimeStatus} />
    <b>${name}</b> ${isSelf ? html`<span class="code" dir="ltr">${instanceId}</span>` : html`<${InstanceLink} id=${instanceId} />`}
    ${!isGone && html`<span class="muted">${roughly(secondsBetween(createdTime, isFinished(status) ? lastUpdatedTime : null))}</span>`}</span>`;
}

/** Statuses know whole seconds. */
