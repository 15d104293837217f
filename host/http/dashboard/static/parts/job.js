// A job in a list and on its own page: its state, how far it is, and cancelling it.
import { html } from "../vendor/preact.js";
import { del, hubPath, segment } from "../lib/api.js";
import { Action } from "./action.js";
import { Meter } from "./meter.js";
import { Status } from "./status.js";

const TONES = { running: "info", completed: "good", cancelled: "warning" };

/** The path of the operations on a job. */
export const jobPath = (id) => hubPath(`jobs/${segment(id)}`);

export const State = ({ job }) => html`<${Status} value=${job.state} tone=${TONES[job.state]} />`;

export function Progress({ job }) {
  const { done, failed, matched } = job;
  return html`<${Meter} isCalm value=${done + failed} of=${matched} label=${job.state === "running" ? "Seen to so far" : "Seen to"} />`;
}

export function Cancel({ job, onDone }) {
  if (job.state !== "running") return null;
  return html`<${Action} label="Cancel" name=${job.jobId} isDanger run=${() => del(jobPath(job.jobId))} done="The job does no more." onDone=${onDone}
    ask=${{ title: "Cancel the job", action: "Cancel the job", text: "What it has begun, up to a hundred instances, it finishes. What it did stays done." }} />`;
}
