// Idle time, squeezed: an instance that works for a second and waits for days shows its work.

const IDLE = 5;
const SHORTEST_MS = 1000;
const SHOWN = 0.12;

/**
 * How the time of deeds is squeezed: {gaps, squeeze(time), stretch(time)}; null if nothing is idle.
 *
 * A gap between two moments is idle if no activity is under way, if it is long, and some times longer
 * than all of the work; where gaps of several sizes are, the longest ones alone are idle.
 * `gaps` are [{from, to, length}]: squeezed times, and how long it was, all in milliseconds.
 */
export function idleOf(deeds, now) {
  const moments = momentsOf(deeds, now);
  const isBusy = busyIn(deeds, now);
  const lengths = moments.slice(1).map((each, place) => each - moments[place]);
  const calm = lengths.filter((_, place) => !isBusy(moments[place], moments[place + 1]));
  const busy = moments.length < 2 ? 0 : moments.at(-1) - moments[0] - calm.reduce((sum, each) => sum + each, 0);
  const working = workOf(calm, busy);
  if (working === null) return null;
  const shown = Math.max(working.total * SHOWN, 0.05);
  const gaps = [];
  let saved = 0;
  lengths.forEach((length, place) => {
    if (length <= working.longest || isBusy(moments[place], moments[place + 1])) return;
    gaps.push({ start: moments[place], end: moments[place + 1], from: moments[place] - saved, to: moments[place] - saved + shown, length });
    saved += length - shown;
  });
  return { gaps, squeeze: (time) => squeezed(time, gaps), stretch: (time) => stretched(time, gaps) };
}

function momentsOf(deeds, now) {
  const found = new Set();
  for (const { start, end, state, parts } of deeds) {
    found.add(start);
    if (end !== null) found.add(end);
    else if (state === "open") found.add(Math.max(now, start));
    for (const each of parts) found.add(each.start);
  }
  return [...found].sort((a, b) => a - b);
}

/** Gives whether an activity is under way all the time between two moments. */
function busyIn(deeds, now) {
  const merged = [];
  const activities = deeds.filter(({ kind }) => kind === "activity").sort((one, other) => one.start - other.start);
  for (const { start, end, state } of activities) {
    const until = end ?? (state === "open" ? Math.max(now, start) : start);
    const last = merged.at(-1);
    if (last && start <= last.to) last.to = Math.max(last.to, until);
    else merged.push({ start, to: until });
  }
  return (from, to) => (lastWith(merged, ({ start }) => start <= from)?.to ?? -Infinity) >= to;
}

/** What counts as work: {total, longest} of what is not idle, `busy` with it; null if nothing is idle. */
function workOf(lengths, busy) {
  const sorted = [...lengths].sort((a, b) => a - b);
  let work = null;
  let total = busy;
  sorted.forEach((length, place) => {
    const isIdle = length >= SHORTEST_MS && total > 0 && length > IDLE * total;
    if (isIdle) work = { total, longest: sorted[place - 1] ?? 0 };
    total += length;
  });
  return work;
}

function squeezed(time, gaps) {
  const gap = lastWith(gaps, (each) => each.start <= time);
  if (!gap) return time;
  if (time < gap.end) return gap.from + ((time - gap.start) / gap.length) * (gap.to - gap.from);
  return gap.to + (time - gap.end);
}

function stretched(time, gaps) {
  const gap = lastWith(gaps, (each) => each.from <= time);
  if (!gap) return time;
  if (time < gap.to) return gap.start + ((time - gap.from) / (gap.to - gap.from)) * gap.length;
  return gap.end + (time - gap.to);
}

function lastWith(gaps, holds) {
  let [low, high] = [0, gaps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(gaps[middle])) low = middle + 1;
    else high = middle;
  }
  return gaps[low - 1];
}

/** The deeds in squeezed time; each knows what it is `real`ly. */
export function squeezeDeeds(deeds, { squeeze }) {
  const at = (time) => (time === null ? null : squeeze(time));
  const inTime = (each) => ({ ...each, start: at(each.start), end: at(each.end) });
  return deeds.map((each) => ({ ...inTime(each), until: at(each.until), parts: each.parts.map(inTime), real: each }));
}
