// Short messages on what was done or failed.
import { html } from "../vendor/preact.js";
import { createStore, useStore } from "../lib/store.js";
import { Icon } from "./icon.js";

const SHOWN_MS = 6000;
const FAILURE_MS = 15_000;
const toasts = createStore([]);
let last = 0;

/** Shows a message; `kind` is "good", "bad" or "info". */
export function toast(text, { kind = "good" } = {}) {
  const id = ++last;
  toasts.set([...toasts.get().slice(-4), { id, text, kind }]);
  setTimeout(() => drop(id), kind === "bad" ? FAILURE_MS : SHOWN_MS);
}

/** Does something and tells what became of it; gives whether it worked. */
export async function told(action, done) {
  try {
    const answer = await action();
    toast(typeof done === "function" ? done(answer) : done);
    return true;
  } catch (error) {
    toast(error.message, { kind: "bad" });
    return false;
  }
}

const drop = (id) => toasts.set(toasts.get().filter((each) => each.id !== id));

/** Where they are shown: once on the page. */
export function Toasts() {
  const shown = useStore(toasts);
  return html`<div class="toasts" aria-live="polite" role="status">
    ${shown.map(({ id, text, kind }) => html`<div key=${id} class=${`toast toast-${kind}`}><span>${text}</span>
      <button type="button" class="plain" aria-label="Dismiss" onClick=${() => drop(id)}><${Icon} name="close" size=${14} /></button></div>`)}
  </div>`;
}
