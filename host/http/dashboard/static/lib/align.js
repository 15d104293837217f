// Two histories side by side: which events are the same deed, and where the first difference is.
import { describe, endedTask, openersOf } from "./history.js";

const MOST_DIFFERENCES = 300;

const OUTCOME = /(Completed|Failed)$/;
const WORD = /\S+/g;
const DERIVED = /:(?=[0-9a-f]{8}:[0-9a-f]{4})/g;
const DERIVED_LENGTH = ":01234567:0123".length;

/**
 * What two events must have in common to stand in one row: what they are about, not when, nor how it
 * ended. Ids of children are derived from their parents', so they differ always.
 */
export function keyOf(event, openers) {
  const isEnd = event.EventType === "ExecutionCompleted";
  const subject = isEnd ? "" : describe(event, openers.get(endedTask(event))).subject;
  return `${event.EventType.replace(OUTCOME, "Ended")}\n${subject.replace(WORD, withoutDerived)}`;
}

/** A word without the id of a child that it begins with. One look at each letter: a pattern for all would take a look at each pair. */
function withoutDerived(word) {
  const last = [...word.matchAll(DERIVED)].at(-1);
  return last ? `…${word.slice(last.index + DERIVED_LENGTH)}` : word;
}

/**
 * Rows {left, right, isSame}: events, or null where the other side alone has one. `isSame` is false
 * where both stand and what was given or came differs. Turns are left out: when they begin is chance.
 */
export function aligned(left, right) {
  const [a, b] = [left, right].map(shown);
  const [start, ends] = commonEnds(a, b);
  const rows = [];
  for (let i = 0; i < start; i += 1) rows.push(row(a[i], b[i]));
  const inside = [a.slice(start, a.length - ends), b.slice(start, b.length - ends)];
  for (const [x, y] of matched(...inside)) rows.push(row(x, y));
  for (let i = ends; i > 0; i -= 1) rows.push(row(a[a.length - i], b[b.length - i]));
  return rows;
}

/** The place of the first row that differs; -1 if none does. */
export const firstDifference = (rows) => rows.findIndex((each) => !each.isSame);

function shown(events) {
  const openers = openersOf(events);
  return events
    .filter((event) => event.EventType !== "OrchestratorStarted")
    .map((event) => ({ event, key: keyOf(event, openers) }));
}

function commonEnds(a, b) {
  const least = Math.min(a.length, b.length);
  let start = 0;
  while (start < least && a[start].key === b[start].key) start += 1;
  let ends = 0;
  while (ends < least - start && a.at(-1 - ends).key === b.at(-1 - ends).key) ends += 1;
  return [start, ends];
}

function row(left, right) {
  const isSame = Boolean(left && right && valueOf(left.event) === valueOf(right.event));
  return { left: left?.event ?? null, right: right?.event ?? null, isSame };
}

const VALUES = ["EventType", "Input", "Result", "Status", "OrchestrationStatus", "Reason", "Version", "Operation"];

const valueOf = (event) =>
  JSON.stringify([...VALUES.map((name) => event[name] ?? null), event.FailureDetails?.ErrorType]);

/**
 * Pairs by the shortest way from one list to the other (Myers). Lists that differ in too much are
 * paired by place: then no row would be more right than another.
 */
function matched(a, b) {
  const ways = [];
  let furthest = new Map([[1, 0]]);
  for (let d = 0; d <= Math.min(a.length + b.length, MOST_DIFFERENCES); d += 1) {
    ways.push(furthest);
    const next = new Map();
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
      let x = down ? (furthest.get(k + 1) ?? 0) : furthest.get(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x].key === b[x - k].key) x += 1;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return walked(a, b, ways, d);
    }
    furthest = next;
  }
  const longest = Math.max(a.length, b.length);
  return Array.from({ length: longest }, (_, i) =>
    a[i]?.key === b[i]?.key ? [[a[i], b[i]]] : [a[i] && [a[i], null], b[i] && [null, b[i]]],
  ).flatMap((pairs) => pairs.filter(Boolean));
}

/** The pairs along the way that was found, from its end back to its start. */
function walked(a, b, ways, d) {
  const pairs = [];
  let [x, y] = [a.length, b.length];
  for (let step = d; step > 0; step -= 1) {
    const furthest = ways[step];
    const k = x - y;
    const down =
      k === -step || (k !== step && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
    const beforeK = down ? k + 1 : k - 1;
    const beforeX = furthest.get(beforeK) ?? 0;
    const beforeY = beforeX - beforeK;
    while (x > beforeX && y > beforeY) pairs.push([a[--x], b[--y]]);
    if (down) pairs.push([null, b[--y]]);
    else pairs.push([a[--x], null]);
  }
  while (x > 0 && y > 0) pairs.push([a[--x], b[--y]]);
  return pairs.reverse();
}
