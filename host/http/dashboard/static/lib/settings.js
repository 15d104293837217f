// What a person chose, kept in this browser.
import { createKeptStore, createStore } from "./store.js";

/** "system", "light" or "dark". */
export const theme = createKeptStore("theme", "system");
/** "local", "UTC", or the name of a time zone. */
export const zone = createKeptStore("zone", "local");
/** Whether pages stand still: nothing is read anew unless somebody asks for it. */
export const paused = createStore(false);

/** Shows the theme that was chosen, now and whenever it changes. */
export function followTheme() {
  const show = (value) => {
    const root = document.documentElement;
    if (value === "light" || value === "dark") root.dataset.theme = value;
    else delete root.dataset.theme;
  };
  show(theme.get());
  theme.subscribe(show);
}

/** The zone as Intl takes it; undefined is that of the browser. */
export function zoneName() {
  const name = zone.get();
  return name === "local" ? undefined : name;
}
