// A time, as how long ago; the time itself is its title.
import { html, useEffect, useState } from "../vendor/preact.js";
import { ago, time } from "../lib/format.js";
import { zone } from "../lib/settings.js";
import { createStore, useStore } from "../lib/store.js";

const now = createStore(Date.now());
setInterval(() => document.hidden || now.set(Date.now()), 5000);

/** `isExact` shows the time itself, and how long ago as its title. */
export function Time({ value, isExact = false, withMs = false }) {
  useStore(zone);
  const moment = useStore(now);
  if (!value) return html`<span class="muted">–</span>`;
  const exact = time(value, { withMs });
  const words = ago(value, Math.max(moment, Date.now()));
  return html`<time datetime=${String(value)} title=${isExact ? words : exact}>${isExact ? exact : words}</time>`;
}

/** The time, each so many seconds: for what shows how long something has gone on. */
export function useNow(everySeconds = 1) {
  const [value, setValue] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setValue(Date.now()), everySeconds * 1000);
    return () => clearInterval(timer);
  }, [everySeconds]);
  return value;
}
