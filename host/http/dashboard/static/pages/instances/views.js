// Views that a person saved: filters under a name, kept in this browser.
import { html, useState } from "../../vendor/preact.js";
import { createKeptStore, useStore } from "../../lib/store.js";
import { Confirm } from "../../parts/dialog.js";
import { Select } from "../../parts/field.js";
import { Icon } from "../../parts/icon.js";
import { FILTERS } from "./filters.js";

const views = createKeptStore("instances.views", []);

const filtersOf = (params) => Object.fromEntries(FILTERS.map((each) => [each, params[each] ?? null]));
const isSame = (one, other) => JSON.stringify(filtersOf(one)) === JSON.stringify(filtersOf(other));

export function Views({ params, setParams }) {
  const all = useStore(views);
  const [isSaving, setSaving] = useState(false);
  const shown = all.find((each) => isSame(each.params, params));
  const open = (name) => setParams(filtersOf(all.find((each) => each.name === name)?.params ?? {}), { replace: false });
  const save = ({ name }) => {
    if (name.trim() === "") throw new Error("A view needs a name.");
    views.set([...all.filter((each) => each.name !== name.trim()), { name: name.trim(), params: filtersOf(params) }]);
  };
  return html`${all.length > 0 && html`<${Select} class="input views" aria-label="Saved views" value=${shown?.name ?? ""} options=${[["", "Saved views…"], ...all.map(({ name }) => name)]} onChange=${(event) => open(event.target.value)} />`}
    ${shown
      ? html`<button type="button" class="button" onClick=${() => views.set(all.filter((each) => each !== shown))}><${Icon} name="close" size=${15} />Forget view</button>`
      : html`<button type="button" class="button" onClick=${() => setSaving(true)}><${Icon} name="star" size=${15} />Save view</button>`}
    ${isSaving && html`<${Confirm} title="Save this view" action="Save" fields=${[{ name: "name", label: "Name", hint: "The filters are kept in this browser." }]} onConfirm=${save} onClose=${() => setSaving(false)} />`}`;
}
