// The list of instances: filters in the URL, a histogram that zooms, pages by the host.
import { html, useEffect, useState } from "../vendor/preact.js";
import { get, hubPath, may } from "../lib/api.js";
import { useFollowing } from "../lib/following.js";
import { count } from "../lib/format.js";
import { usePaged } from "../lib/paged.js";
import { pagePath, useQuery } from "../lib/router.js";
import { Bars } from "../parts/chart.js";
import { Empty } from "../parts/empty.js";
import { Select } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Loaded } from "../parts/loaded.js";
import { PageHead } from "../parts/page_head.js";
import { Pager } from "../parts/pager.js";
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
  const { start, after, page: number, ...filters } = params;
  const list = useInstances(filters);
  const columns = useColumns();
  useEffect(() => setSelected(new Set()), [JSON.stringify(filters)]);
  const closeStart = () => {
    setDialog(null);
    if (start !== undefined) setParams({ start: null }, { keepsPage: true });
  };
  const bulk = (ids) => setDialog({ ids, filters: asked(filters), isFiltered: isFiltered(filters) });
  return html`<${PageHead} title="Instances">
      <${Views} params=${filters} setParams=${setParams} /><${ColumnsButton} />
      ${may("operate") && html`<button type="button" class="button primary" onClick=${() => setParams({ start: "1" }, { keepsPage: true })}><${Icon} name="plus" size=${15} />Start</button>`}
    <//>
    <${FilterBar} params=${filters} setParams=${setParams} />
    <${Histogram} filters=${filters} setParams=${setParams} list=${list} />
    ${!isRefused(list) && html`<div class="list-bar">
      <${Select} class="input" aria-label="Order" value=${params.order ?? ""} options=${ORDERS} onChange=${(event) => setParams({ order: event.target.value })} />
      ${may("operate") && html`${selected.size > 0 && html`<button type="button" class="button" onClick=${() => bulk([...selected])}>${count(selected.size)} chosen…</button>`}
        <button type="button" class="button" onClick=${() => bulk(null)}>All found…</button>`}
    </div>`}
    <${Loaded} of=${list} what="instances">${(rows) => html`<${Table} caption="Instances" columns=${columns} rows=${rows} rowKey=${({ instanceId }) => instanceId}
      rowLink=${({ instanceId }) => pagePath("instances", instanceId)} selected=${selected} onSelect=${may("operate") ? setSelected : undefined}
      empty=${html`<${Empty} icon="instances" title=${isFiltered(filters) ? "No instance fits these filters" : "There are no instances yet"}>${!isFiltered(filters) && "Start one here, over HTTP, or with funchost start-orchestration."}<//>`} />`}<//>
    <${Pager} of=${list} />
    ${dialog && html`<${BulkDialog} ...${dialog} onClose=${() => setDialog(null)} onDone=${() => { setSelected(new Set()); list.refresh(); }} />`}
    ${start !== undefined && may("operate") && html`<${StartDialog} name=${start} onClose=${closeStart} />`}`;
}

/** One page of those that the filters find. A page after the first is of fixed times, as "the last hour" moves on. */
function useInstances(filters) {
  const params = () => ({ ...asked(filters), order: filters.order, top: PAGE_SIZE, showInput: false, showOutput: false });
  const fixed = ({ createdTimeFrom }) => ({ last: null, createdTimeFrom });
  return usePaged(["instances"], params, { key: filters, fixed, events: true });
}

const isRefused = ({ data, error }) => data === undefined && error !== null;

/** Of what the list shows, and read after it: what is wrong with the filters is said there. */
function Histogram({ filters, setParams, list }) {
  const read = ({ signal }) => get(hubPath("histogram"), { ...asked(filters), buckets: BUCKETS }, { signal });
  const { data, error } = useFollowing(read, { lead: list.data, key: { ...filters, order: null } });
  if (isRefused(list)) return null;
  if (error) return html`<p class="card histogram muted">There are no bars: ${error.message}</p>`;
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
