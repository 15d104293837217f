// Small pictures, drawn with the colour of the text.
import { html } from "../vendor/preact.js";

const PATHS = {
  overview: "M3 3h6v7H3zM11 3h6v4h-6zM11 9h6v8h-6zM3 12h6v5H3z",
  instances: "M3 5h14M3 10h14M3 15h9",
  entities: "M10 3l7 3.5v7L10 17l-7-3.5v-7zM10 10l7-3.5M10 10v7M10 10L3 6.500",
  functions: "M12 3c-3 0-3 2-3.500 5S8 17 5 17M6 8h7",
  schedules: "M10 3a7 7 0 100 14 7 7 0 000-14zM10 6v4l3 2",
  queues: "M3 5h14v4H3zM3 11h14v4H3z",
  limits: "M3 14a7 7 0 0114 0M10 14l4-5",
  quarantine: "M10 3l8 14H2zM10 8v4M10 14.500v.500",
  hosts: "M3 4h14v5H3zM3 11h14v5H3zM6 6.500h.500M6 13.500h.500",
  jobs: "M3 6l2 2 3-4M10 6h7M3 14l2 2 3-4M10 14h7",
  audit: "M5 3h10v14H5zM8 7h4M8 10h4M8 13h2",
  keys: "M7 8a3 3 0 106 0 3 3 0 00-6 0zM10 11v6M10 14h3",
  file: "M5 3h7l3 3v11H5zM12 3v3h3",
  compare: "M4 4h5v12H4zM11 4h5v12h-5z",
  search: "M9 4a5 5 0 100 10A5 5 0 009 4zM13 13l4 4",
  play: "M6 4l10 6-10 6z",
  pause: "M6 4v12M14 4v12",
  refresh: "M16 10a6 6 0 11-2-4.500M16 3v4h-4",
  menu: "M3 5h14M3 10h14M3 15h14",
  close: "M5 5l10 10M15 5L5 15",
  copy: "M7 7h9v9H7zM4 13V4h9",
  download: "M10 3v10M6 9l4 4 4-4M4 17h12",
  plus: "M10 4v12M4 10h12",
  left: "M12 4l-6 6 6 6",
  right: "M8 4l6 6-6 6",
  down: "M4 8l6 6 6-6",
  more: "M4 10h.500M10 10h.500M16 10h.500",
  star: "M10 3l2.200 4.500 5 .700-3.600 3.500.900 5L10 14.300 5.500 16.700l.900-5L2.800 8.200l5-.700z",
  signout: "M8 3H4v14h4M9 10h8M14 7l3 3-3 3",
  dot: "M10 8a2 2 0 100 4 2 2 0 000-4z",
};

/** A picture by its name; it says nothing to a screen reader, so what it stands in needs words. */
export function Icon({ name, size = 18 }) {
  return html`<svg class="icon" viewBox="0 0 20 20" width=${size} height=${size} aria-hidden="true" focusable="false">
    <path d=${PATHS[name] ?? PATHS.dot} fill="none" stroke="currentColor" stroke-width="1.6"
      stroke-linecap="round" stroke-linejoin="round" /></svg>`;
}
