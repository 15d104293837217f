// What the hub does, at a glance.
import { html } from "../vendor/preact.js";
import { get, hubPath } from "../lib/api.js";
import { count } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { link } from "../lib/router.js";
import { ErrorBox, Loading } from "../parts/empty.js";
import { PageHead } from "../parts/page_head.js";
import { STATUSES, Status } from "../parts/status.js";

function Overview() {
  const { data, error, refresh } = useLive(({ signal }) => get(hubPath("counts"), {}, { signal }), { events: true });
  return html`<${PageHead} title="Overview" />
    <${ErrorBox} error=${error} onRetry=${refresh} />
    ${data ? html`<${Counts} counts=${data} />` : !error && html`<${Loading} />`}`;
}

function Counts({ counts }) {
  return html`<div class="tiles">${STATUSES.filter((each) => counts[each]).map((each) => html`<a key=${each} class="tile" href=${link("/instances", { runtimeStatus: each })}>
    <span class="tile-number">${count(counts[each])}</span><${Status} value=${each} /></a>`)}</div>`;
}

export const page = { path: "/", title: "Overview", view: Overview, nav: { label: "Overview", icon: "overview", order: 0 } };
