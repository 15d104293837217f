// Timers: when each is due, and running, pausing and resuming it.
import { html } from "../vendor/preact.js";
import { get, post, segment } from "../lib/api.js";
import { useLive } from "../lib/live.js";
import { link, pagePath } from "../lib/router.js";
import { Action } from "../parts/action.js";
import { Empty } from "../parts/empty.js";
import { Loaded } from "../parts/loaded.js";
import { PageHead } from "../parts/page_head.js";
import { Status } from "../parts/status.js";
import { Table } from "../parts/table.js";
import { Time } from "../parts/time.js";

function Schedules() {
  const schedules = useLive(({ signal }) => get("/admin/schedules", {}, { signal }));
  const columns = [
    { key: "name", label: "Function", view: ({ name }) => html`<a href=${link(pagePath("functions", name))}>${name}</a>` },
    { key: "schedule", label: "Schedule", isCode: true },
    { key: "timeZone", label: "Time zone" },
    { key: "state", label: "State", view: (each) => html`<${State} of=${each} />` },
    { key: "next", label: "Next", view: ({ next, isPaused, isDisabled }) => html`<${Time} value=${isPaused || isDisabled ? null : next} />` },
    { key: "last", label: "Last due", view: ({ last }) => html`<${Time} value=${last} />` },
    { key: "do", label: "Actions", isActions: true, view: (each) => html`<${Actions} of=${each} onDone=${schedules.refresh} />` },
  ];
  return html`<${PageHead} title="Schedules" note="Timer functions. One that is paused runs on no host until it is resumed." />
    <${Loaded} of=${schedules} what="schedules">${(rows) => html`<${Table} caption="Schedules" columns=${columns} rows=${rows} rowKey=${({ name }) => name}
      rowLink=${({ name }) => pagePath("functions", name)}
      empty=${html`<${Empty} icon="schedules" title="No function has a timer"><p>One with a timerTrigger is run by the clock.</p><//>`} />`}<//>`;
}

function State({ of: { isPaused, isDisabled, isRunning } }) {
  if (isRunning) return html`<${Status} value="Runs" tone="info" />`;
  if (isDisabled) return html`<${Status} value="Disabled" tone="neutral" />`;
  return isPaused ? html`<${Status} value="Paused" tone="warning" />` : html`<${Status} value="Active" tone="good" />`;
}

function Actions({ of: { name, isPaused, isDisabled, isRunning }, onDone }) {
  const to = (action) => () => post(`/admin/schedules/${segment(name)}/${action}`);
  return html`<span class="row">
    <${Action} label="Run now" name=${name} isDisabled=${isDisabled || isRunning} run=${to("run")} done=${`${name} runs.`} onDone=${onDone}
      ask=${{ title: `Run ${name} now`, action: "Run now", text: "It runs once more, in the background, whenever it is due next." }} />
    ${isPaused ? html`<${Action} label="Resume" name=${name} run=${to("resume")} done=${`${name} goes by its schedule again.`} onDone=${onDone} />`
      : html`<${Action} label="Pause" name=${name} run=${to("pause")} done=${`${name} is paused.`} onDone=${onDone}
        ask=${{ title: `Pause ${name}`, action: "Pause", text: "No host of the hub runs it until it is resumed. A run that goes on already ends in order." }} />`}</span>`;
}

export const page = { path: "/schedules", title: "Schedules", view: Schedules, nav: { label: "Schedules", icon: "schedules", order: 4 } };
