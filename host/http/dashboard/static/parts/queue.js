// What is done with a queue, in the list and on its own page.
import { html, useState } from "../vendor/preact.js";
import { del, post, segment, send } from "../lib/api.js";
import { count } from "../lib/format.js";
import { Action } from "./action.js";
import { Dialog } from "./dialog.js";
import { Field } from "./field.js";
import { toast } from "./toast.js";

const FIFO = ".fifo";

/** The path of an operation on a queue. */
export const queuePath = (name, rest = "") => `/admin/queues/${segment(name)}${rest}`;

/** The queue of what failed too often. */
export const poisonOf = (name) => (name.endsWith(FIFO) ? `${name.slice(0, -FIFO.length)}-poison${FIFO}` : `${name}-poison`);

/** `look` is that of the button: small in a list. */
export function Redrive({ queue: { name, poisoned }, onDone, look }) {
  if (!poisoned) return null;
  return html`<${Action} label="Redrive" look=${look} name=${name} run=${() => post(queuePath(name, "/redrive"))} done=${({ messages }) => `${count(messages)} are back in ${name}.`} onDone=${onDone}
    ask=${{ title: `Redrive the poison of ${name}`, action: "Redrive", text: `What lies in ${poisonOf(name)} goes back into ${name}, to be tried anew.` }} />`;
}

export function Purge({ name, onDone, look }) {
  return html`<${Action} label="Purge" look=${look} name=${name} isDanger run=${() => del(queuePath(name, "/messages"))} done=${({ messages }) => `${count(messages)} are deleted.`} onDone=${onDone}
    ask=${{ title: `Purge ${name}`, action: "Delete all messages", text: "All messages that no function has in work are deleted. They cannot be brought back." }} />`;
}

/** Without a `name` it is asked for. */
export function PutDialog({ name, onClose, onDone }) {
  const [given, setGiven] = useState({ name: name ?? "", text: "", groupId: "", delay: "" });
  const [error, setError] = useState(null);
  const field = (key, more) => html`<${Field} value=${given[key]} onChange=${(value) => setGiven((was) => ({ ...was, [key]: value }))} ...${more} />`;
  const put = async (event) => {
    event.preventDefault();
    const missing = missingOf(given);
    setError(missing && new Error(missing));
    if (missing) return;
    try {
      const params = { groupId: given.groupId, delay: given.delay };
      await send("POST", queuePath(given.name), { text: given.text, params, headers: { "content-type": "text/plain" } });
      toast(`It is in ${given.name}.`);
      onDone?.();
      onClose();
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<${Dialog} title=${name ? `Put a message into ${name}` : "Put a message into a queue"} onClose=${onClose}><form noValidate onSubmit=${put}>
    ${!name && field("name", { label: "Queue", required: true, autofocus: true })}
    ${field("text", { label: "Message", type: "json", hint: "It is sent as it stands here, JSON or not." })}
    ${given.name.endsWith(FIFO) && field("groupId", { label: "Group", required: true, hint: "The messages of a group are in order." })}
    ${field("delay", { label: "Delay in seconds", type: "number", min: 0 })}
    ${error && html`<p class="error-text" role="alert">${error.message}</p>`}
    <div class="dialog-foot"><button type="button" class="button" onClick=${onClose}>Cancel</button>
      <button type="submit" class="button primary">Put it</button></div>
  </form><//>`;
}

/** What is missing before it can be put, in words; null if nothing is. */
function missingOf({ name, text, groupId, delay }) {
  if (name.trim() === "") return "Say into which queue.";
  if (text === "") return "Write the message: it is empty.";
  if (name.endsWith(FIFO) && groupId.trim() === "") return "Say of which group it is: in a queue whose name ends in .fifo each message has one.";
  return delay === "" || Number(delay) >= 0 ? null : "The delay is a number of seconds, 0 or more.";
}
