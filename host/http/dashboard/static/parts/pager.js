// The way from one page of a list to the next.
import { html } from "../vendor/preact.js";
import { Icon } from "./icon.js";

/** `of` is what `usePaged` gives. */
export function Pager({ of }) {
  if (of.isNoPage || (!of.next && !of.first)) return null;
  return html`<nav class="pager" aria-label="Pages of the list">
    <button type="button" class="button small" disabled=${!of.first} onClick=${of.first}>First</button>
    <button type="button" class="button small" disabled=${!of.back} onClick=${of.back}><${Icon} name="left" size=${14} />Newer</button>
    <span class="muted">${of.number ? `Page ${of.number}` : "A later page"}</span>
    <button type="button" class="button small" disabled=${!of.next} onClick=${of.next}>Older<${Icon} name="right" size=${14} /></button>
  </nav>`;
}
