// Asks what an entity is to do, and sends it.
import { html, useState } from "../vendor/preact.js";
import { post } from "../lib/api.js";
import { entityPath } from "../lib/entities.js";
import { Dialog } from "./dialog.js";
import { Field, jsonOf } from "./field.js";
import { toast } from "./toast.js";

/** `name` and `entityKey` are of the entity; without them they are asked for, `names` to choose from. */
export function SignalDialog({ name, entityKey, names = [], onClose, onDone }) {
  const isNew = entityKey === undefined;
  const [given, setGiven] = useState({ name: name ?? names[0] ?? "", key: entityKey ?? "", op: "", input: "", at: "" });
  const [error, setError] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const field = (key, more) => html`<${Field} value=${given[key]} onChange=${(value) => setGiven((was) => ({ ...was, [key]: value }))} ...${more} />`;
  const send = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await post(entityPath(given.name, given.key), jsonOf(given.input), { op: given.op, signalTime: momentOf(given.at) });
      toast(given.at ? "It is sent, and waits for its time." : "It is sent: the entity will do it.");
      onDone?.(given);
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${isNew ? "Signal an entity" : `Signal ${name}`} onClose=${onClose}><form onSubmit=${send}>
    ${isNew && html`${names.length > 0 ? field("name", { label: "Entity", type: "select", options: names }) : field("name", { label: "Entity", required: true })}
      ${field("key", { label: "Key", autofocus: true, hint: "An entity that is not there yet begins with it." })}`}
    ${field("op", { label: "Operation", hint: "Such as add. Classes have a delete of their own.", autofocus: !isNew, required: true })}
    ${field("input", { label: "Input", type: "json", rows: 4, hint: "JSON, or nothing." })}
    ${field("at", { label: "Not before", hint: "A time, or seconds such as 90s; empty is at once." })}
    ${error && html`<p class="error-text" role="alert">${error.message}</p>`}
    <div class="dialog-foot"><button type="button" class="button" onClick=${onClose}>Cancel</button>
      <button type="submit" class="button primary" disabled=${isBusy}>Send the signal</button></div>
  </form><//>`;
}

const momentOf = (text) => text.trim() || null;
