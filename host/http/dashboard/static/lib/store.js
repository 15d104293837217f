// Values that several parts of the page show: whoever uses one is drawn anew when it changes.
import { useEffect, useState } from "../vendor/preact.js";

/** A value that can be read, set, and watched: `subscribe` gives the function that ends it. */
export function createStore(value) {
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const tell of [...listeners]) tell(next);
    },
    subscribe(tell) {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
  };
}

/** The value of a store, kept up to date. */
export function useStore(store) {
  const [value, setValue] = useState(() => store.get());
  useEffect(() => {
    const take = (next) => setValue(() => next);
    take(store.get());
    return store.subscribe(take);
  }, [store]);
  return value;
}

/** A store whose value outlives the page, in this browser. What cannot be kept is for this page. */
export function createKeptStore(name, initial) {
  const key = `funchost.${name}`;
  const store = createStore(read(key, initial));
  store.subscribe((value) => {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // storage that is full or switched off
    }
  });
  return store;
}

function read(key, initial) {
  try {
    const text = localStorage.getItem(key);
    return text === null ? initial : JSON.parse(text);
  } catch {
    return initial;
  }
}
