// What is in quarantine: what may have ended its hosts, or cannot be read, runs no more.
import { html } from "../vendor/preact.js";
import { get, hubPath, post, segment } from "../lib/api.js";
import { entityPage } from "../lib/entities.js";
import { count } from "../lib/format.js";
import { useLive } from "../lib/live.js";
import { link, navigate, pagePath } from "../lib/router.js";
import { Action } from "../parts/action.js";
import { Empty } from "../parts/empty.js";
import { Loaded } from "../parts/loaded.js";
import { PageHead } from "../parts/page_head.js";
import { Status } from "../parts/status.js";
import { Table } from "../parts/table.js";
import { Time } from "../parts/time.js";

const MOST = 1000; // so many the host shows
const PREFIX = /^Quarantined: /;
const ENTITY = /^@([^@]*)@(.*)$/s;

function Quarantine() {
  const list = useLive(({ signal }) => get(hubPath("quarantine"), {}, { signal }), { everySeconds: 10, events: ({ kind }) => kind === "quarantined" });
  const orchestrations = (list.data ?? []).filter(({ instanceId }) => !ENTITY.test(instanceId));
  const columns = [
    { key: "instanceId", label: "Instance", isCode: true, view: ({ instanceId }) => html`<a href=${link(pageOf(instanceId))}>${instanceId}</a>` },
    { key: "name", label: "Function" },
    { key: "runtimeStatus", label: "Status", view: ({ runtimeStatus }) => html`<${Status} value=${runtimeStatus} />` },
    { key: "blockedReason", label: "Why", isWide: true, view: ({ blockedReason }) => (blockedReason ?? "").replace(PREFIX, "") },
    { key: "lastUpdatedTime", label: "Since", view: ({ lastUpdatedTime }) => html`<${Time} value=${lastUpdatedTime} />` },
    { key: "do", label: "Actions", isActions: true, view: ({ instanceId }) => html`<${Redrive} id=${instanceId} onDone=${list.refresh} />` },
  ];
  return html`<${PageHead} title="Quarantine" note="What may have ended its hosts, or cannot be read, is left alone: its code does not run, and all others go on.">
      ${orchestrations.length > 0 && html`<${RedriveAll} number=${orchestrations.length} />`}<//>
    <${Loaded} of=${list} what="a list of what is in quarantine">${(rows) => html`${rows.length >= MOST && html`<p class="muted">The first ${count(rows.length)}.</p>`}
      <${Table} caption="Instances in quarantine" columns=${columns} rows=${rows} rowKey=${({ instanceId }) => instanceId} rowLink=${({ instanceId }) => pageOf(instanceId)}
        empty=${html`<${Empty} icon="quarantine" title="Nothing is in quarantine"><p>If host after host ends while it leads an instance, it comes here.</p><//>`} />`}<//>`;
}

function pageOf(instanceId) {
  const [, name, key] = ENTITY.exec(instanceId) ?? [];
  return name === undefined ? pagePath("instances", instanceId) : entityPage(name, key);
}

function Redrive({ id, onDone }) {
  return html`<${Action} label="Redrive" name=${id} run=${() => post(hubPath(`instances/${segment(id)}/redrive`))} done=${`${id} runs again.`} onDone=${onDone}
    ask=${{ title: "Redrive it", action: "Redrive", text: "Its code runs again, at once. If that is what ended the hosts, it may end this one, too: mend the function first." }} />`;
}

/** By a job, which finds all of them, whether they are shown here or not. */
function RedriveAll({ number }) {
  return html`<${Action} label=${`Redrive all ${count(number)}…`} look="" isDanger run=${() => post(hubPath("batch/redrive"), undefined, { all: true })}
    done="A job redrives them." onDone=${({ jobId }) => navigate(pagePath("jobs", jobId))}
    ask=${{ title: "Redrive all", action: "Redrive all", text: `The code of ${number >= MOST ? "all of them" : `these ${count(number)}`} runs again, by a job. What ended hosts may end them again: mend the functions first.` }} />`;
}

export const page = { path: "/quarantine", title: "Quarantine", view: Quarantine, nav: { label: "Quarantine", icon: "quarantine", order: 7 } };
