// Data of the host, or why there is none (yet).
import { html } from "../vendor/preact.js";
import { Empty, ErrorBox, Loading } from "./empty.js";

/**
 * `of` is what `useLive` gives, `what` names it ("queues"). The child is a function of the data. What
 * was read before stays while the host does not answer.
 */
export function Loaded({ of, what, children }) {
  const { data, error, refresh } = of;
  if (data === undefined && error) return html`<${Refusal} error=${error} what=${what} onRetry=${refresh} />`;
  if (data === undefined) return html`<${Loading} what=${what} />`;
  return html`<${ErrorBox} error=${error} onRetry=${refresh} />${children(data)}`;
}

function Refusal({ error, what, onRetry }) {
  if (error.status === 404) return html`<${Empty} title=${`This host does not have ${what}`}><p>${error.message}</p><//>`;
  if (error.status === 403) return html`<${Empty} title="Your key is not enough for this"><p>${error.message}</p><//>`;
  if (error.status === 400 || error.status === 409) return html`<${Empty} title=${error.message} />`;
  return html`<${ErrorBox} error=${error} onRetry=${onRetry} />`;
}
