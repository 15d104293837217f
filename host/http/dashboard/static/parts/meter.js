// How much of something there is: a bar, and the numbers.
import { html } from "../vendor/preact.js";
import { count } from "../lib/format.js";

/** `value` of at most `of`; full ones stand out. `isCalm`: to be full is good, as of a job. */
export function Meter({ value, of, label, isCalm = false }) {
  const share = of > 0 ? Math.min(1, value / of) : 0;
  const tone = isCalm || share < 0.8 ? "info" : share < 1 ? "warning" : "bad";
  return html`<span class="meter"><svg class="meter-bar" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=${`${label}: ${count(value)} of ${count(of)}`}>
    <rect class="meter-back" width="100" height="6" /><rect class=${`fill-${tone}`} width=${share * 100} height="6" /></svg>
    <span>${count(value)} of ${count(of)}</span></span>`;
}
