// What stands where there is nothing to show (yet).
import { html } from "../vendor/preact.js";
import { Icon } from "./icon.js";

/** Nothing is there: what that means, and what to do. */
export function Empty({ title, icon = null, children }) {
  return html`<div class="empty">${icon && html`<${Icon} name=${icon} size=${28} />`}<p class="empty-title">${title}</p>
    ${children && html`<div class="muted">${children}</div>`}</div>`;
}

/** It is being read. */
export function Loading({ what = "" }) {
  return html`<div class="empty" role="status"><span class="spinner"></span><span class="muted">Reading ${what}…</span></div>`;
}

/** It could not be read, and why. */
export function ErrorBox({ error, onRetry }) {
  if (!error) return null;
  return html`<div class="error-box" role="alert"><span>${error.message}</span>
    ${onRetry && html`<button type="button" class="button small" onClick=${onRetry}>Try again</button>`}</div>`;
}
