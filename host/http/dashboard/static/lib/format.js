// Values in words.
import { zoneName } from "./settings.js";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const formats = new Map();

/** A time in the zone that was chosen: "2026-01-31 14:05:09". `withMs` adds milliseconds. */
export function time(value, { withMs = false } = {}) {
  const date = dateOf(value);
  if (!date) return "–";
  const part = Object.fromEntries(formatter().formatToParts(date).map(({ type, value: text }) => [type, text]));
  const ms = withMs ? `.${String(date.getUTCMilliseconds()).padStart(3, "0")}` : "";
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second}${ms}`;
}

function formatter() {
  const timeZone = zoneName();
  if (!formats.has(timeZone)) formats.set(timeZone, made(timeZone));
  return formats.get(timeZone);
}

function made(timeZone) {
  const two = "2-digit";
  const parts = { year: "numeric", month: two, day: two, hour: two, minute: two, second: two, hourCycle: "h23" };
  try {
    return new Intl.DateTimeFormat("en-GB", { ...parts, timeZone });
  } catch {
    return new Intl.DateTimeFormat("en-GB", { ...parts, timeZone: "UTC" });
  }
}

/** How long ago, or in how long: "3 min ago", "in 2 h". */
export function ago(value, now = Date.now()) {
  const date = dateOf(value);
  if (!date) return "–";
  const seconds = (now - date.getTime()) / 1000;
  if (Math.abs(seconds) < 2) return "now";
  return seconds > 0 ? `${duration(seconds, 1)} ago` : `in ${duration(-seconds, 1)}`;
}

/** A number of seconds: "< 1 ms", "450 ms", "12.3 s", "4 min 10 s", "2 d 3 h"; at most so many parts. */
export function duration(seconds, parts = 2) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  if (seconds < 0) return `-${duration(-seconds, parts)}`;
  if (seconds > 0 && seconds < 0.0005) return "< 1 ms";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < MINUTE) return `${trimmed(seconds)} s`;
  const units = [[Math.floor(seconds / DAY), "d"], [Math.floor((seconds % DAY) / HOUR), "h"],
    [Math.floor((seconds % HOUR) / MINUTE), "min"], [Math.floor(seconds % MINUTE), "s"]];
  const first = units.findIndex(([number]) => number > 0);
  return units.slice(first, first + parts).filter(([number]) => number > 0)
    .map(([number, unit]) => `${number} ${unit}`).join(" ");
}

/** A duration that is estimated between two bounds: "≈ 5 s". */
export const about = (seconds) => (seconds === null || seconds === undefined ? "–" : `≈ ${duration(seconds).replace(/^< /, "")}`);

/** The same of two times that are known in whole seconds: what is short is not said too exactly. */
export function roughly(seconds) {
  if (seconds !== null && seconds < 1) return "under 1 s";
  return seconds !== null && seconds < 3 ? `about ${duration(seconds)}` : duration(seconds);
}

const trimmed = (seconds) => (seconds < 10 ? seconds.toFixed(1).replace(/\.0$/, "") : String(Math.round(seconds)));

/** The seconds between two times; to now if the second is missing. */
export function secondsBetween(from, to) {
  const start = dateOf(from);
  if (!start) return null;
  return ((dateOf(to)?.getTime() ?? Date.now()) - start.getTime()) / 1000;
}

/** A number with its thousands apart: "1,234,567". */
export const count = (number) => (number === null || number === undefined ? "–" : number.toLocaleString("en-US"));

/** A size: "812 B", "1.5 KiB", "20 MiB". */
export function bytes(number) {
  if (number === null || number === undefined) return "–";
  let size = number;
  for (const unit of ["B", "KiB", "MiB"]) {
    if (size < 1024) return `${unit === "B" ? size : trimmed(size)} ${unit}`;
    size /= 1024;
  }
  return `${trimmed(size)} GiB`;
}

function dateOf(value) {
  if (value === null || value === undefined || value === "") return null;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
}
