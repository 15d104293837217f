// Reading an instance: its status, what it waits for, and its history, kept up to date.
import { useEffect, useMemo, useRef } from "../../vendor/preact.js";
import { ApiError, get, hubPath, page, segment } from "../../lib/api.js";
import { deedsOf } from "../../lib/deeds.js";
import { useLive } from "../../lib/live.js";
import { isFinished } from "../../lib/actions.js";

const EVERY_SECONDS = 5;
const PAGE = 1000;
const PAGES_AT_ONCE = 10;
const FIRST = { events: [], token: "", at: 0, isWhole: false };

/** The path of an instance's operation: instancePath("abc", "/history"). */
export const instancePath = (id, rest = "") => hubPath(`instances/${segment(id)}${rest}`);

/** The status without its input, and what it waits for: {data, error, refresh}. */
export function useStatus(id) {
  const last = useRef(null);
  const isOver = last.current?.instanceId === id && isFinished(last.current);
  const read = (options) => get(instancePath(id), { showInput: false, showWaiting: true }, options);
  // what is over changes no more, and its output may be large
  const everySeconds = isOver ? 0 : EVERY_SECONDS;
  const found = useLive(read, { everySeconds, events: (event) => event.instanceId === id, key: id });
  last.current = found.data ?? null;
  const isOfId = found.data?.instanceId === id;
  return { ...found, data: isOfId ? found.data : undefined };
}

/** The whole history: {data: {events, isWhole}, error, refresh}. Of a long one what is read so far. */
export function useHistory(id, isOver) {
  const known = useRef({ id, ...FIRST });
  const read = async (options) => {
    const before = known.current.id === id ? known.current : FIRST;
    // the first page is shown while the others come
    const pages = before.events.length ? PAGES_AT_ONCE : 1;
    known.current = { id, ...(await readOn(id, before, options, pages)) };
    return known.current;
  };
  const everySeconds = isOver ? 0 : EVERY_SECONDS;
  const found = useLive(read, { everySeconds, events: (event) => event.instanceId === id, key: [id, isOver] });
  const data = found.data?.id === id ? found.data : undefined;
  useEffect(() => {
    if (data && !data.isWhole && !found.error) found.refresh();
  }, [data]);
  return { ...found, data };
}

/** A whole history, at most so many pages of it. */
export async function historyOf(id, options = {}, pages = PAGES_AT_ONCE) {
  return readOn(id, FIRST, options, pages);
}

/**
 * Goes on where `known` ends: its last page may have grown, so that one is read again. A token of a
 * run that has begun anew since is refused; then all is read from the start.
 */
async function readOn(id, known, options, pages) {
  let { token, at } = known;
  const events = known.events.slice(0, at);
  for (let n = 0; n < pages; n += 1) {
    const found = await pageOf(id, token, options);
    if (found === null) return readOn(id, FIRST, options, pages);
    for (const event of found.items.historyEvents) events.push({ ...event, sequence: events.length + 1 });
    if (!found.token) return { events: isSame(events, known) ? known.events : events, token, at, isWhole: true };
    token = found.token;
    at = events.length;
  }
  return { events, token, at, isWhole: false };
}

async function pageOf(id, token, options) {
  try {
    return await page(instancePath(id, "/history"), { historyTop: PAGE }, token, options);
  } catch (error) {
    if (token && error instanceof ApiError && error.status === 400) return null;
    throw error;
  }
}

const startOf = (events) => events.find((each) => each.EventType === "ExecutionStarted")?.Timestamp;

/** Whether nothing has come since: then nothing is laid out anew. */
const isSame = (events, { events: before }) =>
  events.length === before.length && startOf(events) === startOf(before)
  && events.at(-1)?.Timestamp === before.at(-1)?.Timestamp;

/** The deeds of a history, made anew only when it or what is waited for has changed. */
export function useDeeds(events, waiting) {
  const key = JSON.stringify(waiting ?? null);
  return useMemo(() => deedsOf(events ?? [], { waiting }), [events, key]);
}
