// How deeds are laid out as a timeline: lanes, the part of time that is in view, and marks. What has
// no room to be seen alone is drawn as one mark that says how many it stands for: so 10,000 deeds
// are as quick as ten.

const MOST_LANES = 40;
const NARROW = 3;

/**
 * Lanes of deeds. By "function" those of one kind and name share lanes, as many as there are at once
 * (but the last of many takes all that is left); by "deed" each has its own.
 */
export function lanesOf(deeds, grouping) {
  if (grouping === "deed") return deeds.map((each) => lane(each, [each]));
  const groups = new Map();
  for (const each of deeds) {
    const key = `${each.kind}\n${each.name}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(each);
  }
  return [...groups.values()].flatMap(packed);
}

function packed(deeds) {
  const lanes = [];
  for (const each of deeds) {
    const free = lanes.find((known) => known.until <= each.start);
    const place = free ?? (lanes.length < MOST_LANES ? null : lanes.at(-1));
    const taken = place ?? lane(each, []);
    if (!place) lanes.push(taken);
    taken.deeds.push(each);
    taken.until = Math.max(taken.until, each.end ?? Infinity);
  }
  lanes.forEach((each, place) => Object.assign(each, { isMore: place > 0, count: deeds.length }));
  return lanes;
}

const lane = (first, deeds) => ({
  kind: first.kind,
  name: first.name,
  deeds,
  count: 1,
  isMore: false,
  until: deeds.length ? (deeds[0].end ?? Infinity) : -Infinity,
});

/** All of the time that there is to see: {from, to}, with a little room at its end. */
export function spanOf(deeds, now) {
  if (!deeds.length) return { from: now - 1000, to: now };
  const from = deeds.reduce((least, each) => Math.min(least, each.start), Infinity);
  const isOpen = deeds.some((each) => each.end === null && each.state !== "left");
  const last = deeds.reduce((most, each) => Math.max(most, each.end ?? each.start), from);
  const to = isOpen ? Math.max(now, last) : last;
  return { from, to: to + Math.max((to - from) * 0.02, 0.05, leastAt(to)) };
}

/** The shortest time, in milliseconds, that a view may show: so late a time is no more exact than that. */
const leastAt = (time) => Math.max(0.01, Math.abs(time) * 2 ** -48);

/** The view after a zoom by `factor` (2 shows half as much) around `at`, a part of it from 0 to 1. */
export function zoomed(view, factor, at, span) {
  const length = Math.max((view.to - view.from) / factor, leastAt(view.to));
  const from = view.from + (view.to - view.from) * at - length * at;
  return within({ from, to: from + length }, span);
}

/** The view after a move by a part of its length. */
export function panned(view, part, span) {
  const move = (view.to - view.from) * part;
  return within({ from: view.from + move, to: view.to + move }, span);
}

/** A view that shows nothing outside of the span. */
export function within(view, span) {
  const length = Math.min(Math.max(view.to - view.from, leastAt(view.to)), span.to - span.from);
  const from = Math.min(Math.max(view.from, span.from), span.to - length);
  return { from, to: from + length };
}

/**
 * The marks of one lane: {x, width, state, deed, parts} of a deed, or {x, width, state, count, from,
 * to} of several that have no room. x goes from 0 to `width`, pixels.
 */
export function marksOf(lane, view, width, now) {
  const scale = width / (view.to - view.from);
  const place = (time) => (time - view.from) * scale;
  const marks = [];
  for (const deed of lane.deeds) {
    const end = endOf(deed, view, now);
    if (end < view.from || deed.start > view.to) continue;
    const left = Math.max(place(deed.start), -5);
    const right = Math.min(place(end), width + 5);
    const before = marks.at(-1);
    const isNear = before && left < before.x + before.width + 1;
    if (isNear && (right - left < NARROW || left < before.x + before.width - 1)) {
      join(before, deed, left, right);
    } else {
      const parts = deed.parts.length > 1 ? partsOf(deed, place, width, view, now) : [];
      marks.push({ x: left, width: Math.max(right - left, 0), state: deed.state, deed, parts });
    }
  }
  return marks;
}

function join(mark, deed, left, right) {
  Object.assign(mark, {
    width: Math.max(right, mark.x + mark.width) - mark.x,
    state: worst(mark.state, deed.state),
    count: (mark.count ?? 1) + 1,
    from: mark.from ?? mark.deed?.start ?? left,
    to: Math.max(mark.to ?? mark.deed?.end ?? deed.start, deed.end ?? deed.start),
    parts: [],
  });
}

/** Where a deed's bar ends: what nobody waits for any more has none of its own. */
const endOf = (deed, view, now) =>
  deed.end ?? (deed.state === "left" ? (deed.until ?? view.to) : Math.max(now, deed.start));

function partsOf(deed, place, width, view, now) {
  return deed.parts.map((each) => {
    const left = Math.max(place(each.start), -5);
    const end = each.end ?? deed.end ?? endOf(deed, view, now);
    return { x: left, width: Math.max(Math.min(place(end), width + 5) - left, 1), state: each.state };
  });
}

const ORDER = ["completed", "held", "waiting", "left", "open", "failed"];
const worst = (one, other) => (ORDER.indexOf(one) > ORDER.indexOf(other) ? one : other);

/** How many deeds begin in each of so many equal pieces of the span: for the small overview. */
export function densityOf(deeds, span, pieces) {
  const counts = new Array(pieces).fill(0);
  for (const each of deeds) {
    const place = Math.floor(((each.start - span.from) / (span.to - span.from)) * pieces);
    counts[Math.min(Math.max(place, 0), pieces - 1)] += 1;
  }
  return counts;
}

const SECOND = 1000;
const STEPS = [
  ...[0.01, 0.1, 1, 10, 100].flatMap((unit) => [unit, 2 * unit, 5 * unit]),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * 60 * SECOND),
  ...[1, 2, 3, 6, 12].map((count) => count * 3600 * SECOND),
  ...[1, 2, 7, 14, 30, 91, 365, 3650].map((count) => count * 86_400 * SECOND),
];

/** Ticks at round times since the beginning: [{x, after, step}], `after` and `step` in milliseconds. */
export function ticksOf(view, width, origin) {
  const wanted = Math.max(Math.floor(width / 110), 2);
  const step = STEPS.find((each) => (view.to - view.from) / each <= wanted) ?? STEPS.at(-1);
  const ticks = [];
  for (let n = Math.ceil((view.from - origin) / step); ticks.length < 60; n += 1) {
    const after = n * step;
    if (origin + after > view.to) break;
    ticks.push({ x: ((origin + after - view.from) / (view.to - view.from)) * width, after, step });
  }
  return ticks;
}

/** Ticks at even places of squeezed time: `stretch` gives the time that a place stands for. */
export function evenTicksOf(view, width, origin, stretch) {
  const pieces = Math.max(Math.floor(width / 130), 2);
  const step = (view.to - view.from) / pieces;
  return Array.from({ length: pieces }, (_, n) => (
    { x: (n / pieces) * width, after: stretch(view.from + n * step) - origin, step }));
}
