// What can be done with an instance: its buttons, and a dialog for each that says what it does.
import { html, useState } from "../../vendor/preact.js";
import { actionsIn } from "../../lib/actions.js";
import { may, segment, send, urlOf } from "../../lib/api.js";
import { pretty } from "../../lib/history.js";
import { navigate, pagePath } from "../../lib/router.js";
import { Confirm } from "../../parts/dialog.js";
import { jsonOf } from "../../parts/field.js";
import { toast } from "../../parts/toast.js";
import { instancePath } from "./read.js";

const REASON = { name: "reason", label: "Reason", hint: "Kept in the history. May be empty." };
const BELOW = { name: "recursive", label: "Its sub-orchestrations, too", type: "checkbox" };
const NEW_ID = { name: "instanceId", label: "Id of the new instance", hint: "Without one it gets one." };
const JSON_HEAD = { "content-type": "application/json" };

const order = (id, name, params) => send("POST", instancePath(id, `/${name}`), { params });

/** Sends a JSON text as it is, so that no digit of a number is lost. Throws if it is not JSON. */
async function sendText(verb, path, text, params) {
  jsonOf(text);
  return send(verb, path, { text, params, headers: JSON_HEAD });
}

const toInstance = (id) => navigate(pagePath("instances", id));

/**
 * By action: what its dialog says, asks, and does. `run(id, values)` may give what is to be told, or
 * {told, go}: `go` leads away from the instance.
 */
const DIALOGS = {
  raiseEvent: ({ awaited }) => ({
    title: "Raise an event",
    says: awaited.length ? `It waits for: ${awaited.join(", ")}.` : "It takes in the event when its code waits for that name.",
    fields: [
      { name: "name", label: "Name of the event", value: awaited[0] ?? "" },
      { name: "data", label: "Data", type: "json", hint: "JSON; empty is null.", value: "" },
    ],
    action: "Raise",
    run: async (id, { name, data }) => {
      if (!name.trim()) throw new Error("An event needs a name.");
      await sendText("POST", instancePath(id, `/raiseEvent/${segment(name)}`), data.trim() || "null");
      return `The event ${name} is on its way.`;
    },
  }),
  suspend: () => ({
    title: "Suspend",
    says: "Its code takes in nothing more until it is resumed. What comes meanwhile waits.",
    fields: [REASON, BELOW],
    run: async (id, values) => {
      await order(id, "suspend", values);
      return "It is going to be suspended.";
    },
  }),
  resume: () => ({
    title: "Resume",
    says: "It goes on, with what has come meanwhile.",
    fields: [REASON, BELOW],
    run: async (id, values) => {
      await order(id, "resume", values);
      return "It goes on.";
    },
  }),
  terminate: () => ({
    title: "Terminate",
    says: "It ends here, in the middle of its work: no code of it runs any more, not even what cleans up.",
    fields: [{ ...REASON, hint: "Kept in the history, and shown as its output." }, { ...BELOW, value: true }],
    isDanger: true,
    run: async (id, values) => {
      await order(id, "terminate", values);
      return "It is going to be terminated.";
    },
  }),
  rewind: () => ({
    title: "Rewind",
    says: "It goes on from before its failure: activities and sub-orchestrations that failed are tried again, all that was done stays done.",
    fields: [REASON],
    run: async (id, { reason }) => {
      await order(id, "rewind", { reason });
      return "It goes on from before its failure.";
    },
  }),
  redrive: () => ({
    title: "Redrive",
    says: "Its code is run again. If it ended its host before, it may do so again.",
    fields: [],
    run: async (id) => {
      await order(id, "redrive");
      return "It is tried anew.";
    },
  }),
  restart: () => ({
    title: "Restart",
    says: "The same function starts with the same input. Under its own id the new run takes the place of this one, whose history is gone.",
    fields: [{ name: "isNew", label: "As a new instance, under an id of its own", type: "checkbox", value: true }],
    run: async (id, { isNew }) => {
      const { body } = await order(id, "restart", { restartWithNewInstanceId: isNew });
      return { told: `Started as ${body.id}.`, go: () => toInstance(body.id) };
    },
  }),
  setCustomStatus: ({ status }) => ({
    title: "Set the custom status",
    says: "It is shown until the code sets another one. The code never sees it.",
    fields: [{ name: "text", label: "Custom status", type: "json", hint: "JSON; null shows none.", value: pretty(JSON.stringify(status.customStatus ?? null)) }],
    action: "Set it",
    run: async (id, { text }) => {
      await sendText("PUT", instancePath(id, "/customStatus"), text);
      return "It is shown from the instance's next turn on.";
    },
  }),
  purge: () => ({
    title: "Purge",
    says: "All that is stored of it is deleted, for good.",
    fields: [{ ...BELOW, label: "Its finished sub-orchestrations, too", value: true }],
    isDanger: true,
    run: async (id, { recursive }) => {
      const { body } = await send("DELETE", instancePath(id), { params: { recursive } });
      return { told: `${body?.instancesDeleted ?? 1} deleted.`, go: () => navigate("/instances") };
    },
  }),
  fork: ({ afterEvent, count, status }) => ({
    title: "Fork",
    says: `A new instance gets this history up to an event, and goes on from there by itself; this one stays as it is. Its code runs the turn of that event anew, so it may be other code by now. There are ${count} events.`,
    fields: [
      { name: "afterEvent", label: "After event", type: "number", value: afterEventOf(afterEvent, count, status),
        hint: `0 is from the start.${hasFailed(status) ? " Empty is before its first failure." : ""}` },
      NEW_ID,
      { name: "input", label: "Another input", type: "json", hint: "JSON; only with 0. Empty keeps the input.", value: "" },
    ],
    run: fork,
  }),
};

const hasFailed = (status) => status.runtimeStatus === "Failed";

/** What the dialog begins with: the event that was chosen, else the last one, or before the failure. */
const afterEventOf = (chosen, count, status) => (chosen === undefined && hasFailed(status) ? "" : String(chosen ?? count));

async function fork(id, { afterEvent, instanceId, input }) {
  if (!Number.isInteger(Number(afterEvent))) throw new Error("Say after which event, such as 12.");
  jsonOf(input);
  const members = afterEvent === "" ? [] : [`"afterEvent":${Number(afterEvent)}`];
  if (instanceId.trim()) members.push(`"instanceId":${JSON.stringify(instanceId.trim())}`);
  if (input.trim()) members.push(`"input":${input}`);
  const { body } = await sendText("POST", instancePath(id, "/fork"), `{${members.join(",")}}`);
  return { told: `Forked as ${body.id}.`, go: () => toInstance(body.id) };
}

/** The buttons. `asked` is {action, ...more} or null, and `ask` sets it: other parts ask for forks. */
export function Actions({ status, state, asked, ask }) {
  if (!may("operate")) return html`<span class="muted">Your key may look, and change nothing.</span>`;
  const actions = actionsIn(state);
  const button = ({ id, label, isDanger }) => html`<button key=${id} type="button" class=${`button ${isDanger ? "danger" : ""}`} onClick=${() => ask({ action: id })}>${label}</button>`;
  return html`${actions.filter((each) => each.isMain).map(button)}
    <${More}>${actions.filter((each) => !each.isMain).map(button)}
      <a class="button" download=${`${status.instanceId}.ndjson`} href=${urlOf(instancePath(status.instanceId, "/export"))}>Export</a><//>`;
}

function More({ children }) {
  const [isOpen, setOpen] = useState(false);
  const close = (event) => {
    if (event.type !== "keydown" || event.key === "Escape") setOpen(false);
  };
  return html`<span class="more" onKeyDown=${close}>
    <button type="button" class="button" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>More</button>
    ${isOpen && html`<span class="more-list" onClick=${() => setOpen(false)}>${children}</span>`}</span>`;
}

/** The dialog of what was asked for. `known` is what dialogs say of the instance. */
export function ActionDialog({ id, asked, known, onClose, onDone }) {
  const { title, says, fields, action = title, isDanger = false, run } = DIALOGS[asked.action]({ ...known, ...asked });
  const confirm = async (values) => {
    const found = await run(id, values);
    const { told, go } = typeof found === "string" ? { told: found, go: null } : found;
    toast(told);
    if (go) go();
    else onDone();
  };
  return html`<${Confirm} title=${`${title}: ${id}`} action=${action} isDanger=${isDanger} fields=${fields} onConfirm=${confirm} onClose=${onClose}>
    <p>${says}</p><//>`;
}
