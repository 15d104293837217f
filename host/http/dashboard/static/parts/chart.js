// Bars over time. Drag over them, or use the arrow keys with Shift and then Enter, to zoom.
import { html, useRef, useState } from "../vendor/preact.js";
import { count, time } from "../lib/format.js";

const HEIGHT = 100;

/**
 * `from` is when the first bucket begins, `buckets` are [{series key: number}], `series`
 * [{key, label, tone}] are stacked from the bottom; `onZoom(from, to)` gets two Dates.
 */
export function Bars({ from, stepSeconds, buckets, series, onZoom, label }) {
  const box = useRef();
  const [range, setRange] = useState(null);
  const sums = buckets.map((each) => series.reduce((sum, { key }) => sum + (each[key] ?? 0), 0));
  const most = Math.max(1, ...sums);
  const start = new Date(from).getTime();
  const at = (number) => new Date(start + number * stepSeconds * 1000);
  const [low, high] = range ? [Math.min(...range), Math.max(...range)] : [null, null];
  const zoom = () => {
    if (range) onZoom(at(low), at(high + 1));
    setRange(null);
  };
  const indexOf = (event) => {
    const { left, width } = box.current.getBoundingClientRect();
    return clamp(Math.floor(((event.clientX - left) / width) * buckets.length), buckets.length);
  };
  const onDown = (event) => {
    if (!onZoom) return;
    box.current.setPointerCapture(event.pointerId);
    setRange([indexOf(event), indexOf(event)]);
  };
  const onMove = (event) => event.buttons && range && setRange([range[0], indexOf(event)]);
  const onKey = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const next = clamp((range?.[1] ?? -1) + step, buckets.length);
      setRange([event.shiftKey && range ? range[0] : next, next]);
    } else if (event.key === "Enter" && onZoom) zoom();
    else if (event.key === "Escape") setRange(null);
  };
  return html`<figure class="chart">
    <svg ref=${box} class=${onZoom ? "bars can-zoom" : "bars"} viewBox=${`0 0 ${buckets.length * 10} ${HEIGHT}`} preserveAspectRatio="none"
      tabindex="0" role="img" aria-label=${`${label}: ${count(sums.reduce((sum, each) => sum + each, 0))} in ${buckets.length} steps, at most ${count(most)} in one`}
      onPointerDown=${onDown} onPointerMove=${onMove} onPointerUp=${zoom} onKeyDown=${onKey}>
      ${range && html`<rect class="chosen" x=${low * 10} y="0" width=${(high - low + 1) * 10} height=${HEIGHT} />`}
      ${buckets.map((each, number) => html`<g key=${number}><title>${titleOf(at(number), each, series)}</title>
        <rect class="bar-back" x=${number * 10} y="0" width="10" height=${HEIGHT} />${stacked(each, series, number, most)}</g>`)}
    </svg>
    <figcaption class="chart-foot"><span>${time(at(0))}</span>
      <span class="legend">${range ? titleOf(at(low), summed(buckets.slice(low, high + 1)), series)
        : series.map(({ key, label: name, tone }) => html`<span key=${key}><i class=${`key fill-${tone ?? key}`}></i>${name}</span>`)}</span>
      <span>${time(at(buckets.length))}</span></figcaption>
  </figure>`;
}

const clamp = (number, length) => Math.max(0, Math.min(length - 1, number));

function stacked(bucket, series, number, most) {
  let top = HEIGHT;
  return series.map(({ key, tone }) => {
    const value = bucket[key] ?? 0;
    if (!value) return null;
    const height = Math.max(1.5, (value / most) * (HEIGHT - 4));
    top -= height;
    return html`<rect key=${key} class=${`fill-${tone ?? key}`} x=${number * 10 + 1} y=${top} width="8" height=${height} />`;
  });
}

const titleOf = (moment, bucket, series) =>
  `${time(moment)} · ${series.map(({ key, label }) => `${label} ${count(bucket[key] ?? 0)}`).join(" · ")}`;

function summed(buckets) {
  const sums = {};
  for (const bucket of buckets) {
    for (const [key, value] of Object.entries(bucket)) sums[key] = (sums[key] ?? 0) + value;
  }
  return sums;
}
