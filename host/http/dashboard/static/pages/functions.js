// The functions of this host: those that do not load first, then by trigger; and their graph.
import { html } from "../vendor/preact.js";
import { get } from "../lib/api.js";
import { outputsOf, triggerOf, TRIGGERS, triggerWords } from "../lib/bindings.js";
import { about, count, duration } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { link, pagePath, useQuery } from "../lib/router.js";
import { BindingGraph } from "../parts/binding_graph.js";
import { Empty } from "../parts/empty.js";
import { Field } from "../parts/field.js";
import { Loaded } from "../parts/loaded.js";
import { PageHead } from "../parts/page_head.js";
import { Status } from "../parts/status.js";
import { Table } from "../parts/table.js";
import { Tabs } from "../parts/tabs.js";
import { Time } from "../parts/time.js";

const pageOf = ({ name }) => pagePath("functions", name);

function Functions() {
  const functions = useLive(({ signal }) => get("/admin/functions", {}, { signal }), { everySeconds: 15 });
  const stats = useLive(({ signal }) => get("/admin/functions/stats", {}, { signal }), { everySeconds: 5 });
  return html`<${PageHead} title="Functions" note="Those of the host that answers this page; the numbers are since its start." />
    <${Loaded} of=${functions} what="a list of functions">${(found) => {
      const broken = found.filter(({ errors }) => errors);
      const working = found.filter(({ errors }) => !errors);
      const tabs = [
        { key: "list", label: `List (${count(working.length)})`, view: () => html`<${ByTrigger} functions=${working} stats=${byName(stats.data)} />` },
        { key: "graph", label: "Graph", view: () => html`<${BindingGraph} functions=${working} />` },
      ];
      return html`<${Broken} functions=${broken} />${working.length > 0 ? html`<${Tabs} tabs=${tabs} />`
        : broken.length === 0 && html`<${Empty} icon="functions" title="This host has no functions"><p>Put a function_app.py, or a folder with a function.json, into its folder.</p><//>`}`;
    }}<//>`;
}

/** Stats by the name of the function; a host that has none shows none. */
const byName = (stats) => new Map((Array.isArray(stats) ? stats : []).map((each) => [each.name, each]));

function Broken({ functions }) {
  if (functions.length === 0) return null;
  return html`<section class="broken" aria-label="Functions that do not load"><h2>${functions.length === 1 ? "One does not load" : `${count(functions.length)} do not load`}</h2>
    ${functions.map(({ name, errors }) => html`<div key=${name} class="error-box"><div><a class="code" href=${link(pageOf({ name }))}>${name}</a>
      ${errors.map((text, at) => html`<p key=${at}>${text}</p>`)}</div></div>`)}</section>`;
}

function ByTrigger({ functions, stats }) {
  const [{ text = "" }, setParams] = useQuery();
  const wanted = text.toLowerCase();
  const shown = functions.filter((fn) => `${fn.name} ${triggerWords(fn)} ${outputsOf(fn).join(" ")}`.toLowerCase().includes(wanted));
  const known = new Set(TRIGGERS.map(([type]) => type));
  const groups = [...TRIGGERS, [null, "Others"]].map(([type, label]) => [label, shown.filter((fn) => {
    const own = triggerOf(fn)?.type;
    return type ? own === type : !known.has(own);
  })]).filter(([, found]) => found.length > 0);
  const columns = columnsFor(shown, stats);
  return html`<form class="filters" role="search" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
      <${Field} label="Name, route or resource" type="search" value=${text} onChange=${(value) => setParams({ text: value })} /></form>
    ${groups.length === 0 && html`<${Empty} title="No function is like that" />`}
    <div class="stack">${groups.map(([label, found]) => html`<section key=${label}><div class="section-head"><h2>${label}</h2><span class="muted">${count(found.length)}</span></div>
      <${Table} isEven caption=${label} columns=${columns} rows=${found} rowKey=${({ name, version }) => `${name} ${version ?? ""}`} rowLink=${pageOf} /></section>`)}</div>`;
}

/** Columns that would say nothing of these functions are left out. */
function columnsFor(functions, stats) {
  const of = (fn) => stats.get(fn.name);
  const hasStats = functions.some((fn) => of(fn)?.runs > 0);
  const has = (words) => functions.some((fn) => words(fn).length > 0);
  return [
    { key: "name", label: "Function", width: "20%", view: (fn) => html`<a href=${link(pageOf(fn))}>${fn.name}</a>${fn.version && html` <span class="muted">version ${fn.version}</span>`}${fn.isDisabled && html` <${Status} value="Disabled" tone="neutral" />`}` },
    has(triggerWords) && { key: "trigger", label: "Trigger", isCode: true, isWide: true, width: "auto", view: triggerWords },
    has(outputsOf) && { key: "outputs", label: "Writes to", isCode: true, isWide: true, width: "auto", view: (fn) => outputsOf(fn).join(", ") },
    hasStats && { key: "runs", label: "Runs", align: "right", width: "4.5rem", view: (fn) => count(of(fn)?.runs ?? 0) },
    hasStats && { key: "rate", label: "Last minute", align: "right", width: "6.6rem", view: (fn) => rate(of(fn)?.perMinute) },
    hasStats && { key: "failures", label: "Failures", align: "right", width: "9.5rem", view: (fn) => of(fn) && failures(of(fn)) },
    hasStats && { key: "mean", label: "Mean", align: "right", width: "5rem", view: (fn) => of(fn) && duration(of(fn).meanSeconds) },
    hasStats && { key: "p95", label: "95 % within", align: "right", width: "7rem", view: (fn) => of(fn) && about(of(fn).p95Seconds) },
  ].filter(Boolean);
}

function failures({ failures: number, lastErrorTime }) {
  if (number === 0) return "0";
  return html`<span class="error-text">${count(number)}</span> <span class="muted">last <${Time} value=${lastErrorTime} /></span>`;
}

const rate = (perMinute) => (perMinute === undefined || perMinute === null ? "" : perMinute < 10 ? perMinute.toFixed(1) : count(Math.round(perMinute)));

export const page = { path: "/functions", title: "Functions", view: Functions, nav: { label: "Functions", icon: "functions", order: 3 } };
