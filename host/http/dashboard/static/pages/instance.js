// One instance: what it is, why it waits, what it did, and all that can be done with it.
import { html, useState } from "../vendor/preact.js";
import { may } from "../lib/api.js";
import { isFinished, stateOf } from "../lib/actions.js";
import { moment } from "../lib/history.js";
import { link } from "../lib/router.js";
import { Empty, ErrorBox, Loading } from "../parts/empty.js";
import { Icon } from "../parts/icon.js";
import { copy } from "../parts/payload.js";
import { Status } from "../parts/status.js";
import { Tabs } from "../parts/tabs.js";
import { useNow } from "../parts/time.js";
import { ActionDialog, Actions } from "./instance/actions.js";
import { Graph } from "./instance/graph.js";
import { History } from "./instance/history.js";
import { useDeeds, useHistory, useStatus } from "./instance/read.js";
import { Data, Facts, FailureCard, Why } from "./instance/summary.js";
import { Timeline } from "./instance/timeline.js";
import { Tree } from "./instance/tree.js";

function Instance({ params: { id } }) {
  const found = useStatus(id);
  const { data: status, error } = found;
  if (error?.status === 404) return html`<${Gone} id=${id} />`;
  if (!status) return error ? html`<${ErrorBox} error=${error} onRetry=${found.refresh} />` : html`<${Loading} what="the instance" />`;
  return html`<${Known} key=${id} id=${id} status=${status} error=${error} refreshStatus=${found.refresh} />`;
}

function Gone({ id }) {
  return html`<${Empty} title="There is no such instance">
    <p class="code" dir="ltr">${id}</p><p>It was purged, or never started here.</p>
    <a href=${link("/instances", { instanceIdPrefix: id })}>Look for ids that begin so</a><//>`;
}

function Known({ id, status, error, refreshStatus }) {
  const isOver = isFinished(status);
  const waiting = isOver ? null : status.waitingFor;
  const history = useHistory(id, isOver);
  const events = history.data?.events;
  const deeds = useDeeds(events, waiting);
  const clock = useNow(1);
  const now = isOver ? lastMomentOf(status, events) : clock;
  const [asked, ask] = useState(null);
  const refresh = () => {
    refreshStatus();
    history.refresh();
  };
  const onFork = may("operate") ? (afterEvent) => ask({ action: "fork", afterEvent }) : null;
  const started = events?.find((each) => each.EventType === "ExecutionStarted");
  const ended = events?.findLast((each) => each.EventType === "ExecutionCompleted");
  const awaited = (waiting ?? []).filter((each) => each.kind === "event" && each.name).map((each) => each.name);
  const known = { status, awaited, count: events?.length ?? 0 };
  const whole = history.data?.isWhole ?? true;
  const given = { deeds, events: events ?? [], now, onFork };
  const tabs = [
    { key: "timeline", label: "Timeline", view: () => html`<${Timeline} ...${given} />` },
    { key: "history", label: "History", view: () => (events?.length ? html`<${History} events=${events} isWhole=${whole} onFork=${onFork} />` : html`<${Empty} title="No history yet" />`) },
    { key: "data", label: "Data", view: () => html`<${Data} status=${status} started=${started} ended=${ended} />` },
    { key: "tree", label: "Tree", view: () => html`<${Tree} status=${status} events=${events ?? []} />` },
    { key: "graph", label: "Graph", view: () => html`<${Graph} name=${status.name} deeds=${deeds} events=${events ?? []} />` },
  ];
  return html`<div class="instance">
    <header class="page-head"><div class="instance-title">
        <h1><span dir="ltr">${id}</span> <button type="button" class="plain" aria-label="Copy the id" title="Copy the id" onClick=${() => copy(id)}><${Icon} name="copy" size=${15} /></button></h1>
        <p><${Status} value=${status.runtimeStatus} /> <a class="button small" href=${link("/compare", { a: id })}>Compare</a> <button type="button" class="button small" onClick=${refresh}>Refresh</button></p></div>
      <div class="page-actions"><${Actions} status=${status} state=${stateOf(status, waiting)} ask=${ask} /></div></header>
    <${ErrorBox} error=${error ?? history.error} onRetry=${refresh} />
    <${Facts} status=${status} started=${started} tally=${tallyOf(deeds)} events=${events} isWhole=${whole} execution=${started?.Generation ? null : deeds[0]} />
    <div class="cards"><${Why} status=${status} waiting=${waiting} /><${FailureCard} status=${status} /></div>
    ${events ? html`<${Tabs} tabs=${tabs} />` : html`<${Loading} what="the history" />`}
    ${asked && html`<${ActionDialog} id=${id} asked=${asked} known=${known} onClose=${() => ask(null)} onDone=${refresh} />`}
  </div>`;
}

/** Of one that is over no bar goes on, also while only a part of its history is read. */
const lastMomentOf = (status, events) => Math.max(moment(status.lastUpdatedTime), moment(events?.at(-1)?.Timestamp) ?? 0);

const tallyOf = (deeds) => ({
  children: deeds.filter((each) => each.kind === "child").length,
  failed: deeds.filter((each) => each.state === "failed" && each.kind !== "execution").length,
});

export const page = { path: "/instances/:id", title: ({ id }) => id, view: Instance };
