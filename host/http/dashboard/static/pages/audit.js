// The audit: who changed what, and when.
import { html } from "../vendor/preact.js";
import { hubPath, urlOf } from "../lib/api.js";
import { usePaged } from "../lib/paged.js";
import { useQuery } from "../lib/router.js";
import { Empty } from "../parts/empty.js";
import { Field } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Loaded } from "../parts/loaded.js";
import { PageHead } from "../parts/page_head.js";
import { Pager } from "../parts/pager.js";
import { Status } from "../parts/status.js";
import { Table } from "../parts/table.js";
import { Time } from "../parts/time.js";

const TONES = { done: "good", begun: "info", refused: "warning", failed: "bad" };
const FILTERS = [["who", "Who"], ["what", "What"], ["target", "On what"]];

const COLUMNS = [
  { key: "at", label: "When", view: ({ at }) => html`<${Time} value=${at} isExact />` },
  { key: "who", label: "Who" },
  { key: "what", label: "What", isCode: true },
  { key: "target", label: "On what", isWide: true, isCode: true },
  { key: "detail", label: "Detail", isWide: true, isCode: true },
  { key: "from", label: "From", isCode: true },
  { key: "outcome", label: "Outcome", view: ({ outcome, status }) => html`<span title=${`Answered ${status}`}><${Status} value=${outcome} tone=${TONES[outcome]} /></span>` },
];

function Audit() {
  const [params, setParams] = useQuery();
  const filters = Object.fromEntries(FILTERS.map(([key]) => [key, params[key]]));
  const audit = usePaged(["audit"], { ...filters, top: 100 }, { everySeconds: 10 });
  const read = { ...audit, data: audit.data?.entries };
  return html`<${PageHead} title="Audit" note="Every change that somebody made through this hub's hosts; kept for 90 days.">
      <a class="button" href=${urlOf(hubPath("audit/export"), filters)} download="audit.ndjson"><${Icon} name="download" size=${15} />Export</a><//>
    <form class="filters" role="search" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
      ${FILTERS.map(([key, label]) => html`<${Field} key=${key} label=${label} type="search" value=${params[key] ?? ""} onChange=${(value) => setParams({ [key]: value })} />`)}</form>
    <${Loaded} of=${read} what="an audit">${(rows) => html`<${Table} caption="Audit" columns=${COLUMNS} rows=${rows} rowKey=${(entry) => `${entry.at} ${entry.what} ${entry.target} ${entry.who}`}
      empty=${html`<${Empty} icon="audit" title="Nobody changed anything that is like that" />`} />`}<//>
    <${Pager} of=${audit} />`;
}

export const page = { path: "/audit", title: "Audit", view: Audit, nav: { label: "Audit", icon: "audit", order: 10 } };
