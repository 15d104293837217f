// One action on many instances: those that are ticked, or all that the filters find. The latter is a
// job of the hub, which goes on whether anybody looks or not.
import { html, useEffect, useState } from "../../vendor/preact.js";
import { del, get, hubPath, post, segment } from "../../lib/api.js";
import { count } from "../../lib/format.js";
import { useLive } from "../../lib/live.js";
import { Dialog } from "../../parts/dialog.js";
import { ErrorBox, Loading } from "../../parts/empty.js";
import { Field } from "../../parts/field.js";
import { Status } from "../../parts/status.js";
import { told } from "../../parts/toast.js";

const ACTIONS = {
  terminate: { label: "Terminate", says: "Stops them, and their sub-orchestrations.", hasReason: true, isDanger: true },
  suspend: { label: "Suspend", says: "Holds them until they are resumed.", hasReason: true },
  resume: { label: "Resume", says: "Lets suspended ones go on.", hasReason: true },
  rewind: { label: "Rewind", says: "Lets failed ones go on from where they failed.", hasReason: true },
  purge: { label: "Purge", says: "Deletes finished ones with their histories. Nothing brings them back.", isDanger: true },
};
const OVER = new Set(["completed", "cancelled"]);

/** `ids` are the ticked ones, or null for all that `filters` (of the host) find. */
export function BulkDialog({ ids, filters, isFiltered, onClose, onDone }) {
  const [action, setAction] = useState("terminate");
  const [reason, setReason] = useState("");
  const [jobId, setJobId] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const { label, says, hasReason, isDanger } = ACTIONS[action];
  const params = { ...filters, all: isFiltered ? undefined : true };
  const run = async (event) => {
    event.preventDefault();
    setBusy(true);
    if (ids) {
      await eachOf(ids, action, reason);
      onDone();
      onClose();
      return;
    }
    await told(async () => {
      const { jobId: started } = await post(hubPath(`batch/${action}`), undefined, { ...params, reason: hasReason ? reason : undefined });
      setJobId(started);
    }, "The job runs.");
    setBusy(false);
  };
  if (jobId) return html`<${Progress} jobId=${jobId} label=${label} onClose=${onClose} onDone=${onDone} />`;
  return html`<${Dialog} title=${ids ? `${count(ids.length)} chosen instances` : "All that the filters find"} onClose=${onClose}><form onSubmit=${run}>
    <${Field} label="What to do" type="select" value=${action} onChange=${setAction} options=${Object.entries(ACTIONS).map(([key, each]) => [key, each.label])} hint=${says} />
    ${hasReason && html`<${Field} label="Reason" value=${reason} onChange=${setReason} hint="Kept in their histories. May be empty." />`}
    ${ids ? null : html`<${DryRun} action=${action} params=${params} />`}
    <div class="dialog-foot"><button type="button" class="button" onClick=${onClose}>Cancel</button>
      <button type="submit" class=${`button ${isDanger ? "danger" : "primary"}`} disabled=${isBusy}>${label}</button></div></form><//>`;
}

/** How many it would be about. */
function DryRun({ action, params }) {
  const [state, setState] = useState({});
  useEffect(() => {
    const control = new AbortController();
    setState({});
    post(hubPath(`batch/${action}`), undefined, { ...params, dryRun: true }, { signal: control.signal })
      .then(({ matched }) => setState({ matched }))
      .catch((error) => error.name === "AbortError" || setState({ error }));
    return () => control.abort();
  }, [action]);
  if (state.error) return html`<${ErrorBox} error=${state.error} />`;
  if (state.matched === undefined) return html`<p class="muted" role="status">Counting…</p>`;
  return html`<p role="status"><strong>${count(state.matched)}</strong> ${state.matched === 1 ? "instance is" : "instances are"} meant now.</p>`;
}

/** Does it to one after the other, and tells how it went. */
async function eachOf(ids, action, reason) {
  const params = ACTIONS[action].hasReason ? { reason } : {};
  const failures = [];
  await told(async () => {
    for (const id of ids) {
      const path = hubPath(`instances/${segment(id)}`);
      try {
        await (action === "purge" ? del(path) : post(`${path}/${action}`, undefined, params));
      } catch (error) {
        failures.push(`${id}: ${error.message}`);
      }
    }
    if (failures.length > 0) throw new Error(`${failures.length} of ${ids.length} were refused. ${failures[0]}`);
  }, `${ACTIONS[action].label}: ${count(ids.length)} were told.`);
}

function Progress({ jobId, label, onClose, onDone }) {
  const path = hubPath(`jobs/${segment(jobId)}`);
  const [isOver, setOver] = useState(false);
  const { data: job, error, refresh } = useLive(({ signal }) => get(path, {}, { signal }), { everySeconds: isOver ? 0 : 1 });
  useEffect(() => {
    if (!job || isOver || !OVER.has(job.state)) return;
    setOver(true);
    onDone();
  }, [job]);
  const cancel = async () => {
    await told(() => del(path), "The job does no more.");
    refresh();
  };
  const actions = html`${job && !OVER.has(job.state) && html`<button type="button" class="button danger" onClick=${cancel}>Cancel the job</button>`}
    <button type="button" class="button primary" onClick=${onClose}>${isOver ? "Close" : "Leave it running"}</button>`;
  return html`<${Dialog} title=${label} onClose=${onClose} actions=${actions}><${ErrorBox} error=${error} />
    ${job ? html`<p><${Status} value=${job.state} tone=${isOver ? "good" : "info"} /></p>
      <progress aria-label="Done" value=${job.done + job.failed} max=${Math.max(1, job.matched)}></progress>
      <p>${count(job.done)} of ${count(job.matched)} done${job.failed > 0 ? `, ${count(job.failed)} failed` : ""}.</p>
      ${job.failures.slice(0, 20).map(({ instanceId, reason }) => html`<p key=${instanceId} class="muted code">${`${instanceId}: ${reason}`}</p>`)}` : html`<${Loading} what="the job" />`}<//>`;
}
