// Data that is kept up to date: read again each few seconds, and sooner when the host says that
// something happened. Nothing is read while the tab is hidden or the page is paused.
import { useCallback, useEffect, useRef, useState } from "../vendor/preact.js";
import { watchEvents } from "./events.js";
import { paused } from "./settings.js";

const SOONEST_MS = 1000;

/**
 * Reads again and again: {data, error, isLoading, refresh}.
 *
 * `read({signal})` gives the data; it may be another function each time. `key` says what is read:
 * when it changes the data is read at once (the old one stays until then, and goes if it cannot be read). `everySeconds`: how
 * often; 0 reads once. `events`: true, or a function of an event that says whether to read sooner.
 * After an error the data of the same key stays.
 */
export function useLive(read, { everySeconds = 5, events = null, key = "" } = {}) {
  const [state, setState] = useState({ data: undefined, of: null, error: null, isLoading: true });
  const latest = useRef();
  const what = JSON.stringify(key);
  latest.current = { read, events, what };
  const reading = useRef(null);
  const isRead = useRef(null);

  const refresh = useCallback(() => {
    reading.current?.abort();
    const control = new AbortController();
    reading.current = control;
    isRead.current = readInto(setState, latest.current, control.signal);
    return isRead.current;
  }, []);
  // Readings that nobody asked for wait for the one that is on its way: where each takes long, each
  // would break off the one before it, and nothing would ever be shown.
  const turn = useCallback(() => isRead.current, []);

  useEffect(() => repeat(refresh, turn, everySeconds), [what, everySeconds]);
  const watches = Boolean(events);
  useEffect(() => (watches ? watch(refresh, turn, latest) : undefined), [watches]);
  useEffect(() => () => reading.current?.abort(), []);
  const { data, error, isLoading } = state;
  return { data, error, isLoading, refresh };
}

async function readInto(setState, { read, what }, signal) {
  setState((was) => ({ ...was, isLoading: true }));
  try {
    const data = await read({ signal });
    if (!signal.aborted) setState({ data, of: what, error: null, isLoading: false });
  } catch (error) {
    if (!signal.aborted) setState((was) => ({ ...was, data: was.of === what ? was.data : undefined, error, isLoading: false }));
  }
}

/** Reads now and each so many seconds after the last reading, when it is its turn; gives what ends it. */
function repeat(refresh, turn, everySeconds) {
  let timer = 0;
  let isOver = false;
  const isStill = () => document.hidden || paused.get();
  const next = () => {
    clearTimeout(timer);
    if (!isOver && everySeconds > 0 && !isStill()) timer = setTimeout(round, everySeconds * 1000);
  };
  const round = async () => {
    await turn();
    if (isOver) return;
    await refresh();
    next();
  };
  const wake = () => (isStill() ? clearTimeout(timer) : round());
  refresh().then(next);
  if (everySeconds > 0) document.addEventListener("visibilitychange", wake);
  const forget = everySeconds > 0 ? paused.subscribe(wake) : () => {};
  return () => {
    isOver = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", wake);
    forget();
  };
}

/** Reads soon after an event that matters, once for all that come within a second. */
function watch(refresh, turn, latest) {
  let timer = 0;
  let isOver = false;
  const forget = watchEvents((event) => {
    const { events } = latest.current;
    const matters = typeof events !== "function" || event.kind === "missed" || events(event);
    if (!matters || timer || document.hidden || paused.get()) return;
    timer = setTimeout(async () => {
      await turn();
      timer = 0;
      if (!isOver) refresh();
    }, SOONEST_MS);
  });
  return () => {
    isOver = true;
    clearTimeout(timer);
    forget();
  };
}
