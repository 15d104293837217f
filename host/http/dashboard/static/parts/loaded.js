// Data of the host, or why there is none (yet).
import { html } from "../vendor/preact.js";
import { Empty, ErrorBox, Loading } from "./empty.js";

/**
 * `of` is what `useLive` or `usePaged` gives, `what` names it ("queues"). The child is a function of the data. What
 * was read before stays while the host does not answer.
 */
export function Loaded({ of, what, children }) {
  const { data, error, refresh, isNoPage, first } = of;
  if (isNoPage) return html`<${NoPage} onFirst=${first} />`;
  if (data === undefined && error) return html`<${Refusal} error=${error} what=${what} onRetry=${refresh} />`;
  if (data === undefined) return html`<${Loading} what=${what} />`;
  return html`<${ErrorBox} error=${error} onRetry=${refresh} />${children(data)}`;
}

/** The list was filtered otherwise when the URL was made, or is kept in another way since. */
function NoPage({ onFirst }) {
  return html`<div role="alert"><${Empty} title="The URL names a page that this list does not have">
    <p>It was of other filters, or of another version of the host.</p>
    <p><button type="button" class="button" onClick=${onFirst}>To the first page</button></p><//></div>`;
}

function Refusal({ error, what, onRetry }) {
  if (error.status === 404) return html`<${Empty} title=${`This host does not have ${what}`}><p>${error.message}</p><//>`;
  if (error.status === 403) return html`<${Empty} title="Your key is not enough for this"><p>${error.message}</p><//>`;
  if (error.status === 409 && error.body?.ExceptionMessage) return html`<${Empty} title=${error.body.Message}><p>${error.body.ExceptionMessage}</p><//>`;
  if (error.status === 400 || error.status === 409) return html`<div role="alert"><${Empty} title=${error.message} /></div>`;
  return html`<${ErrorBox} error=${error} onRetry=${onRetry} />`;
}
