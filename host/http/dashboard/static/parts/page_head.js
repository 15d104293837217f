// The head of a page: its title, what it is of, and its buttons.
import { html } from "../vendor/preact.js";

export function PageHead({ title, note, children }) {
  return html`<header class="page-head"><div><h1>${title}</h1>${note && html`<p class="muted">${note}</p>`}</div>
    <div class="page-actions">${children}</div></header>`;
}

/** A box with a title. */
export function Card({ title, note, children, actions, isWide = false }) {
  return html`<section class=${isWide ? "card wide" : "card"}>
    ${title && html`<header class="card-head"><h2>${title}</h2>${note && html`<span class="muted">${note}</span>`}${actions}</header>`}
    ${children}</section>`;
}
