// The keys of the hub: their names, roles and times. A value is shown once, when it is made.
import { html, useState } from "../vendor/preact.js";
import { del, get, may, post, segment } from "../lib/api.js";
import { useLive } from "../lib/live.js";
import { Action } from "../parts/action.js";
import { Dialog } from "../parts/dialog.js";
import { Empty } from "../parts/empty.js";
import { Field } from "../parts/field.js";
import { Loaded } from "../parts/loaded.js";
import { PageHead } from "../parts/page_head.js";
import { copy } from "../parts/payload.js";
import { Table } from "../parts/table.js";
import { Time } from "../parts/time.js";

const ROLES = [["read", "read: look only"], ["operate", "operate: change instances, too"], ["admin", "admin: everything"]];
const GRACES = [["0", "at once"], ["3600", "in an hour"], ["86400", "in a day"], ["604800", "in a week"]];

function pathOf({ kind, function: name }, key) {
  const set = kind === "system" ? "/admin/host/systemkeys" : name ? `/admin/functions/${segment(name)}/keys` : "/admin/host/functionkeys";
  return `${set}/${segment(key)}`;
}

function Keys() {
  const keys = useLive(({ signal }) => get("/admin/keys", {}, { signal }), { everySeconds: 15 });
  const [isMaking, setMaking] = useState(false);
  const [made, setMade] = useState(null);
  const columns = [
    { key: "name", label: "Key", isCode: true },
    { key: "kind", label: "Opens", isWide: true, view: (key) => opens(key) },
    { key: "role", label: "Role", view: ({ role, kind }) => (kind === "master" ? "admin" : role ?? "") },
    { key: "isInFile", label: "From", view: ({ isInFile }) => (isInFile ? "the file of keys" : "the hub") },
    { key: "createdTime", label: "Made", view: ({ createdTime }) => html`<${Time} value=${createdTime} />` },
    { key: "changedTime", label: "Value changed", view: ({ changedTime }) => html`<${Time} value=${changedTime} />` },
    { key: "oldValueUntil", label: "Old one ends", view: ({ oldValueUntil }) => oldValueUntil && html`<${Time} value=${oldValueUntil} />` },
    { key: "do", label: "Actions", isActions: true, view: (key) => html`<${Actions} of=${key} onMade=${setMade} onDone=${keys.refresh} />` },
  ];
  return html`<${PageHead} title="Keys" note="Who has a key may do what its role says. Values are kept as hashes, and shown once.">
      ${may("admin") && keys.data && html`<button type="button" class="button primary" onClick=${() => setMaking(true)}>Make a key…</button>`}<//>
    <${Loaded} of=${keys} what="keys">${(rows) => html`<${Table} caption="Keys" columns=${columns} rows=${rows} rowKey=${(key) => `${key.kind} ${key.function ?? ""} ${key.name}`}
      empty=${html`<${Empty} icon="keys" title="There are no keys" />`} />`}<//>
    ${isMaking && html`<${MakeDialog} onClose=${() => setMaking(false)} onMade=${(key) => { setMade(key); keys.refresh(); }} />`}
    ${made && html`<${ValueDialog} made=${made} onClose=${() => setMade(null)} />`}`;
}

function opens({ kind, function: name }) {
  if (kind === "master") return "everything";
  if (kind === "system") return "operations by its role";
  return name ? `the function ${name}` : "functions of the level function";
}

function Actions({ of: key, onMade, onDone }) {
  if (key.kind === "master") return null;
  return html`<span class="row">
    <${Action} label="New value" name=${key.name} needs="admin" run=${({ grace }) => post(pathOf(key, key.name), undefined, { grace, exists: true })} onDone=${(made) => { onMade(made); onDone(); }}
      ask=${{ title: `New value for ${key.name}`, action: "Make a new value", text: "Who has the old value needs the new one.",
        fields: [{ name: "grace", label: "The old value opens nothing any more", type: "select", options: GRACES, value: "0" }] }} />
    <${Action} label="Delete" name=${key.name} needs="admin" isDanger run=${() => del(pathOf(key, key.name))} done=${`${key.name} opens nothing any more.`} onDone=${onDone}
      ask=${{ title: `Delete ${key.name}`, action: "Delete the key", text: "Within ten seconds no host takes it any more, and sessions that were opened with it end." }} /></span>`;
}

function MakeDialog({ onClose, onMade }) {
  const [given, setGiven] = useState({ kind: "system", name: "", role: "read", function: "" });
  const [error, setError] = useState(null);
  const field = (key, more) => html`<${Field} value=${given[key]} onChange=${(value) => setGiven((was) => ({ ...was, [key]: value }))} ...${more} />`;
  const make = async (event) => {
    event.preventDefault();
    setError(null);
    try {
      const isSystem = given.kind === "system";
      const made = await post(pathOf(isSystem ? given : { kind: "function", function: given.function }, given.name), undefined, { exists: false, role: isSystem ? given.role : null });
      onClose();
      onMade(made);
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<${Dialog} title="Make a key" onClose=${onClose}><form onSubmit=${make}>
    ${field("name", { label: "Name", required: true, autofocus: true, hint: "Letters, digits, '_', '.' or '-'; the audit and the log name who did something by it." })}
    ${field("kind", { label: "It opens", type: "select", options: [["system", "dashboard and operations"], ["function", "HTTP functions"]] })}
    ${given.kind === "system" ? field("role", { label: "Role", type: "select", options: ROLES })
      : field("function", { label: "Only this function", hint: "Empty: all functions of the level function." })}
    ${error && html`<p class="error-text" role="alert">${error.message}</p>`}
    <div class="dialog-foot"><button type="button" class="button" onClick=${onClose}>Cancel</button>
      <button type="submit" class="button primary">Make it</button></div></form><//>`;
}

function ValueDialog({ made: { name, value }, onClose }) {
  return html`<${Dialog} title=${`The value of ${name}`} onClose=${onClose} actions=${html`<button type="button" class="button" onClick=${() => copy(value)}>Copy</button>
      <button type="button" class="button primary" onClick=${onClose}>I have it</button>`}>
    <p>Keep it now: nobody can see it again.</p><pre class="code secret" tabindex="0">${value}</pre><//>`;
}

export const page = { path: "/keys", title: "Keys", view: Keys, nav: { label: "Keys", icon: "keys", order: 11 } };
