// The columns of the list, and which of them a person wants to see.
import { html, useState } from "../../vendor/preact.js";
import { roughly, secondsBetween } from "../../lib/format.js";
import { link, pagePath } from "../../lib/router.js";
import { createKeptStore, useStore } from "../../lib/store.js";
import { Dialog } from "../../parts/dialog.js";
import { Field } from "../../parts/field.js";
import { Icon } from "../../parts/icon.js";
import { Status } from "../../parts/status.js";
import { tagsText } from "../../parts/tags.js";
import { Time } from "../../parts/time.js";

const ENDED = new Set(["Completed", "Failed", "Terminated", "Canceled"]);
const MOST = 300;

/** Two lines of a text, and more of it as its title. */
function short(text) {
  if (text === "") return "";
  const shown = text.length > MOST ? `${text.slice(0, MOST)}…` : text;
  return html`<span class="clamp" title=${shown}>${shown}</span>`;
}

const ALL = [
  { key: "instanceId", label: "Instance", isCode: true, isWide: true, view: ({ instanceId }) => html`<a href=${link(pagePath("instances", instanceId))}>${instanceId}</a>` },
  { key: "name", label: "Orchestrator", view: ({ name }) => name ?? "" },
  { key: "runtimeStatus", label: "Status", view: ({ runtimeStatus, blockedReason }) => html`<${Status} value=${runtimeStatus} />${blockedReason && html` <span class="pill pill-warning" title=${blockedReason}>blocked</span>`}` },
  { key: "createdTime", label: "Created", view: ({ createdTime }) => html`<${Time} value=${createdTime} isExact />` },
  { key: "lastUpdatedTime", label: "Updated", view: ({ lastUpdatedTime }) => html`<${Time} value=${lastUpdatedTime} />` },
  { key: "duration", label: "Duration", align: "right", view: (row) => roughly(secondsBetween(row.createdTime, ENDED.has(row.runtimeStatus) ? row.lastUpdatedTime : null)) },
  { key: "customStatus", label: "Custom status", isWide: true, view: ({ customStatus }) => short(customStatus === null || customStatus === undefined ? "" : typeof customStatus === "string" ? customStatus : JSON.stringify(customStatus)) },
  { key: "tags", label: "Tags", isWide: true, view: ({ tags }) => short(tagsText(tags)) },
  { key: "error", label: "Error", isWide: true, view: ({ failureDetails }) => short(failureDetails ? `${failureDetails.ErrorType ?? failureDetails.errorType ?? ""}: ${failureDetails.ErrorMessage ?? failureDetails.errorMessage ?? ""}` : "") },
  { key: "version", label: "Version", view: ({ version }) => version ?? "" },
  { key: "parentInstanceId", label: "Parent", isCode: true, view: ({ parentInstanceId }) => parentInstanceId && html`<a href=${link(pagePath("instances", parentInstanceId))}>${parentInstanceId}</a>` },
];
const FIRST = ["instanceId", "name", "runtimeStatus", "createdTime", "lastUpdatedTime", "duration", "customStatus"];
const chosen = createKeptStore("instances.columns", FIRST);

/** The columns that are shown. */
export function useColumns() {
  const keys = useStore(chosen);
  return ALL.filter(({ key }) => key === "instanceId" || keys.includes(key));
}

export function ColumnsButton() {
  const [isOpen, setOpen] = useState(false);
  const keys = useStore(chosen);
  const turn = (key, isOn) => chosen.set(isOn ? [...keys, key] : keys.filter((each) => each !== key));
  return html`<button type="button" class="button" onClick=${() => setOpen(true)}><${Icon} name="menu" size=${15} />Columns</button>
    ${isOpen && html`<${Dialog} title="Columns" onClose=${() => setOpen(false)} actions=${html`<button type="button" class="button" onClick=${() => chosen.set(FIRST)}>As at first</button>`}>
      ${ALL.filter(({ key }) => key !== "instanceId").map(({ key, label }) => html`<${Field} key=${key} type="checkbox" label=${label} value=${keys.includes(key)} onChange=${(isOn) => turn(key, isOn)} />`)}
    <//>`}`;
}
