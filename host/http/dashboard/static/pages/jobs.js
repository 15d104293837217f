// Jobs: one action on many instances, done in the background.
import { html } from "../vendor/preact.js";
import { count, duration, secondsBetween } from "../lib/format.js";
import { usePaged } from "../lib/paged.js";
import { link, pagePath } from "../lib/router.js";
import { Empty } from "../parts/empty.js";
import { Cancel, Progress, State } from "../parts/job.js";
import { Loaded } from "../parts/loaded.js";
import { PageHead } from "../parts/page_head.js";
import { Pager } from "../parts/pager.js";
import { Table } from "../parts/table.js";
import { Time } from "../parts/time.js";

function Jobs() {
  const jobs = usePaged(["jobs"], { top: 50 });
  const columns = [
    { key: "jobId", label: "Job", isCode: true, view: ({ jobId }) => html`<a href=${link(pagePath("jobs", jobId))}>${jobId.slice(0, 16)}…</a>` },
    { key: "action", label: "Action" },
    { key: "state", label: "State", view: (job) => html`<${State} job=${job} />` },
    { key: "done", label: "Done", view: (job) => html`<${Progress} job=${job} />` },
    { key: "failed", label: "Failed", align: "right", view: ({ failed }) => count(failed) },
    { key: "createdTime", label: "Started", view: ({ createdTime }) => html`<${Time} value=${createdTime} />` },
    { key: "took", label: "Took", align: "right", view: ({ createdTime, endedTime }) => duration(secondsBetween(createdTime, endedTime)) },
    { key: "do", label: "Actions", isActions: true, view: (job) => html`<${Cancel} job=${job} onDone=${jobs.refresh} />` },
  ];
  return html`<${PageHead} title="Jobs" note="One action on many instances. What is over is kept for seven days." />
    <${Loaded} of=${jobs} what="jobs">${(rows) => html`<${Table} caption="Jobs" columns=${columns} rows=${rows} rowKey=${({ jobId }) => jobId}
      rowLink=${({ jobId }) => pagePath("jobs", jobId)}
      empty=${html`<${Empty} icon="jobs" title="No jobs"><p>Choose many instances on the page <a href=${link("/instances")}>Instances</a>, and what is to be done with them.</p><//>`} />`}<//>
    <${Pager} of=${jobs} />`;
}

export const page = { path: "/jobs", title: "Jobs", view: Jobs, nav: { label: "Jobs", icon: "jobs", order: 9 } };
