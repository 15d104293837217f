// The status of an instance, or another word that has a colour.
import { html } from "../vendor/preact.js";

/** All statuses, in the order in which they are shown. */
export const STATUSES = ["Running", "Pending", "Suspended", "Completed", "Failed", "Terminated", "Canceled", "ContinuedAsNew"];

const KNOWN = new Set([...STATUSES, "good", "bad", "warning", "neutral", "info"]);

/** A pill; `tone` gives the colour of a value that is no status: good, bad, warning, neutral, info. */
export function Status({ value, tone = value }) {
  return html`<span class=${`pill pill-${KNOWN.has(tone) ? tone : "neutral"}`}><span class="pill-dot"></span>${value}</span>`;
}
