// One job: how far it is, and what it could do nothing to.
import { html } from "../vendor/preact.js";
import { get } from "../lib/api.js";
import { count } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { link, pagePath } from "../lib/router.js";
import { Cancel, jobPath, Progress, State } from "../parts/job.js";
import { Loaded } from "../parts/loaded.js";
import { Card, PageHead } from "../parts/page_head.js";
import { Table } from "../parts/table.js";
import { Time } from "../parts/time.js";

function Job({ params: { id } }) {
  const job = useLive(({ signal }) => get(jobPath(id), {}, { signal }), { everySeconds: 2, key: id });
  return html`<${PageHead} title="Job" note=${html`<span class="code">${id}</span>`}>${job.data && html`<${Cancel} job=${job.data} onDone=${job.refresh} />`}<//>
    <${Loaded} of=${job} what="this job">${(found) => html`<${Facts} job=${found} />`}<//>`;
}

function Facts({ job }) {
  const columns = [
    { key: "instanceId", label: "Instance", isCode: true, view: ({ instanceId }) => html`<a href=${link(pagePath("instances", instanceId))}>${instanceId}</a>` },
    { key: "reason", label: "Why not", isWide: true },
  ];
  return html`<div class="stack"><${Card}><dl class="facts">
      <dt>Action</dt><dd>${job.action}</dd>
      <dt>State</dt><dd><${State} job=${job} /></dd>
      <dt>Seen to</dt><dd><${Progress} job=${job} />${job.state === "running" && html` <span class="muted">found so far</span>`}</dd>
      <dt>Done</dt><dd>${count(job.done)}</dd><dt>Failed</dt><dd>${count(job.failed)}</dd>
      <dt>Started</dt><dd><${Time} value=${job.createdTime} isExact /></dd>
      ${job.endedTime && html`<dt>Ended</dt><dd><${Time} value=${job.endedTime} isExact /></dd>`}
    </dl><//>
    ${job.failures.length > 0 && html`<section><h2>The first that failed</h2>
      <${Table} caption="Instances that failed" columns=${columns} rows=${job.failures} rowKey=${({ instanceId }) => instanceId} /></section>`}</div>`;
}

export const page = { path: "/jobs/:id", title: "Job", view: Job };
