// The list of instances: filters in the URL, a histogram that zooms, pages by the host.
import { html, useEffect, useState } from "../vendor/preact.js";
import { get, hubPath, may, page as pageOf } from "../lib/api.js";
import { count } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { pagePath, useQuery } from "../lib/router.js";
import { Bars } from "../parts/chart.js";
import { Empty, ErrorBox } from "../parts/empty.js";
import { Select } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { PageHead } from "../parts/page_head.js";
import { STATUSES } from "../parts/status.js";
import { Table } from "../parts/table.js";
import { BulkDialog } from "./instances/bulk.js";
import { ColumnsButton, useColumns } from "./instances/columns.js";
import { FilterBar, LISTS, asked, isFiltered } from "./instances/filters.js";
import { StartDialog } from "./instances/start.js";
import { Views } from "./instances/views.js";

const PAGE_SIZE = 50;
const BUCKETS = 60;
const ORDERS = [["", "Newest first"], ["updated", "Updated last first"]];

function Instances() {
  const [params, setParams] = useQuery(LISTS);
  const [selected, setSelected] = useState(new Set());
  const [dialog, setDialog] = useState(null);
  const { start, ...filters } = params;
  const key = JSON.stringify(filters);
  const list = usePages(filters, key);
  const columns = useColumns();
  useEffect(() => setSelected(new Set()), [key]);
  const closeStart = () => {
    setDialog(null);
    if (start !== undefined) setParams({ start: null });
  };
  const bulk = (ids) => setDialog({ ids, filters: asked(filters), isFiltered: isFiltered(filters) });
  return html`<${PageHead} title="Instances">
      <${Views} params=${filters} setParams=${setParams} /><${ColumnsButton} />
      ${may("operate") && html`<button type="button" class="button primary" onClick=${() => setParams({ start: "1" })}><${Icon} name="plus" size=${15} />Start</button>`}
    <//>
    <${FilterBar} params=${filters} setParams=${setParams} />
    <${Histogram} filters=${filters} setParams=${setParams} />
    <${ErrorBox} error=${list.error} onRetry=${list.refresh} />
    <div class="list-bar">
      <${Select} class="input" aria-label="Order" value=${params.order ?? ""} options=${ORDERS} onChange=${(event) => setParams({ order: event.target.value })} />
      ${may("operate") && html`${selected.size > 0 && html`<button type="button" class="button" onClick=${() => bulk([...selected])}>${count(selected.size)} chosen…</button>`}
        <button type="button" class="button" onClick=${() => bulk(null)}>All found…</button>`}
      <span class="spacer"></span><${Pager} list=${list} />
    </div>
    <${Table} caption="Instances" columns=${columns} rows=${list.rows} isLoading=${list.isLoading} rowKey=${({ instanceId }) => instanceId}
      rowLink=${({ instanceId }) => pagePath("instances", instanceId)} selected=${selected} onSelect=${may("operate") ? setSelected : undefined}
      empty=${html`<${Empty} icon="instances" title=${isFiltered(filters) ? "No instance fits these filters" : "There are no instances yet"}>${!isFiltered(filters) && "Start one here, over HTTP, or with `funchost start-orchestration`."}<//>`} />
    ${dialog && html`<${BulkDialog} ...${dialog} onClose=${() => setDialog(null)} onDone=${() => { setSelected(new Set()); list.refresh(); }} />`}
    ${start !== undefined && html`<${StartDialog} name=${start} onClose=${closeStart} />`}`;
}

/** The rows of one page, and the way to the next and back: the host gives a token for each. */
function usePages(filters, key) {
  const [tokens, setTokens] = useState({ key, list: [""] });
  const at = tokens.key === key ? tokens.list : [""];
  const token = at[at.length - 1];
  const read = ({ signal }) => pageOf(hubPath("instances"), { ...asked(filters), order: filters.order, top: PAGE_SIZE, showInput: false, showOutput: false }, token, { signal });
  const { data, error, isLoading, refresh } = useLive(read, { key: [key, token], events: true });
  const go = (list) => setTokens({ key, list });
  return {
    rows: data?.items,
    error,
    isLoading,
    refresh,
    number: at.length,
    back: at.length > 1 ? () => go(at.slice(0, -1)) : null,
    next: data?.token ? () => go([...at, data.token]) : null,
  };
}

function Pager({ list }) {
  return html`<nav class="pager" aria-label="Pages of the list"><span class="muted">Page ${count(list.number)}</span>
    <button type="button" class="button small" aria-label="Page before" disabled=${!list.back} onClick=${list.back}><${Icon} name="left" size=${15} /></button>
    <button type="button" class="button small" aria-label="Next page" disabled=${!list.next} onClick=${list.next}><${Icon} name="right" size=${15} /></button></nav>`;
}

function Histogram({ filters, setParams }) {
  const key = JSON.stringify({ ...filters, order: undefined });
  const { data, error } = useLive(({ signal }) => get(hubPath("histogram"), { ...asked(filters), buckets: BUCKETS }, { signal }), { key, everySeconds: 10 });
  if (error) return html`<${ErrorBox} error=${error} />`;
  if (!data || data.buckets.length === 0) return html`<div class="card histogram"></div>`;
  const buckets = data.buckets.map(({ counts }) => counts);
  const series = STATUSES.filter((status) => buckets.some((each) => each[status])).map((status) => ({ key: status, label: status }));
  const total = buckets.reduce((sum, each) => sum + Object.values(each).reduce((one, other) => one + other, 0), 0);
  const zoom = (from, to) => setParams({ last: null, createdTimeFrom: from.toISOString(), createdTimeTo: to.toISOString() }, { replace: false });
  const isZoomed = Boolean(filters.createdTimeFrom || filters.createdTimeTo);
  return html`<section class="card histogram" aria-label="Created over time">
    <header class="card-head"><h2>${count(total)} found</h2><span class="muted">by when they were created; drag to zoom</span>
      ${isZoomed && html`<button type="button" class="button small" onClick=${() => setParams({ createdTimeFrom: null, createdTimeTo: null }, { replace: false })}>All times</button>`}</header>
    <${Bars} label="Instances created" from=${data.from} stepSeconds=${data.stepSeconds} buckets=${buckets} series=${series} onZoom=${zoom} /></section>`;
}

export const page = { path: "/instances", title: "Instances", view: Instances, nav: { label: "Instances", icon: "instances", order: 1 } };
