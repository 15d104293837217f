// What a function was given or gave, and what it failed with.
import { html } from "../../vendor/preact.js";
import { Payload } from "../../parts/payload.js";
import { pretty } from "../../lib/history.js";

/** So many causes are shown: each lies in the one before, and drawing takes a place on the stack for each. */
const DEEPEST = 30;

/** A payload that is a JSON text: shown as it is stored, so that no digit of a number is lost. */
export function JsonText({ text, name }) {
  if (text === null || text === undefined) return html`<span class="muted">none</span>`;
  return html`<${Payload} value=${pretty(text)} isText=${true} name=${`${name}.json`} />`;
}

/** A longer message is folded, and can be downloaded. */
const LONG = 1000;

/** A failure with its traceback, and what caused it. `failure` has the names of the API. */
export function Failure({ failure, depth = 0 }) {
  const { ErrorType, ErrorMessage, StackTrace, InnerFailure, Notes = [], SubFailures = [] } = failure;
  if (depth >= DEEPEST) return html`<p class="muted">There is more behind it: see the event as it is stored, in the history.</p>`;
  const message = String(ErrorMessage ?? "");
  return html`<div class="failure">
    ${depth > 0 && html`<p class="failure-cause">because of</p>`}
    <p class="failure-line"><b>${ErrorType ?? "Error"}</b> <span>${message.length > LONG ? "" : message}</span></p>
    ${message.length > LONG && html`<${Payload} value=${message} isText=${true} name="error.txt" />`}
    ${Notes.map((note, place) => html`<p key=${place} class="muted">${String(note)}</p>`)}
    ${StackTrace && html`<${Payload} value=${StackTrace} isText=${true} name="traceback.txt" />`}
    ${InnerFailure && html`<${Failure} failure=${InnerFailure} depth=${depth + 1} />`}
    ${SubFailures.length > 0 && html`<details><summary>${SubFailures.length} failures in it</summary>
      ${SubFailures.map((each, place) => html`<${Failure} key=${place} failure=${each} depth=${depth + 1} />`)}</details>`}
  </div>`;
}
