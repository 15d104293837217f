// Keys that work on every page, and the list of them ("?").
import { html, useEffect, useState } from "../vendor/preact.js";
import { navigate } from "../lib/router.js";
import { paused } from "../lib/settings.js";
import { Dialog } from "./dialog.js";

const SOON_MS = 1500;
/** After "g": the page of each letter. */
const PAGES = [
  ["o", "/", "Overview"], ["i", "/instances", "Instances"], ["e", "/entities", "Entities"], ["f", "/functions", "Functions"],
  ["s", "/schedules", "Schedules"], ["q", "/queues", "Queues"], ["l", "/limits", "Limits"], ["u", "/quarantine", "Quarantine"],
  ["h", "/hosts", "Hosts"], ["j", "/jobs", "Jobs"], ["a", "/audit", "Audit"], ["k", "/keys", "Keys"],
];
const OTHERS = [
  [["Ctrl", "K"], "Go to anything"], [["/"], "To the first filter of the page"], [["p"], "Pause, or follow again"],
  [["?"], "This list"], [["↑", "↓"], "From row to row of a table"], [["Enter"], "Open the row"], [["Esc"], "Close a dialog"],
];

/** Listens as long as it is there. */
export function Shortcuts() {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    let wentAt = -Infinity;
    const onKey = (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target) || document.querySelector("dialog[open]")) return;
      const isSecond = event.timeStamp - wentAt < SOON_MS;
      wentAt = -Infinity;
      const page = isSecond && PAGES.find(([letter]) => letter === event.key);
      if (page) navigate(page[1]);
      else if (event.key === "g") wentAt = event.timeStamp;
      else if (event.key === "?") setOpen(true);
      else if (event.key === "p") paused.set(!paused.get());
      else if (event.key === "/") toFilter(event);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return isOpen ? html`<${List} onClose=${() => setOpen(false)} />` : null;
}

const isWriting = (target) => target.closest?.("input, textarea, select, [contenteditable]") !== null && target !== document.body;

function toFilter(event) {
  const field = document.querySelector('#main [role="search"] :is(input, select), #main input[type="search"]');
  if (!field) return;
  event.preventDefault();
  field.focus();
}

function List({ onClose }) {
  const keys = (all) => all.map((key, at) => html`<kbd key=${at}>${key}</kbd> `);
  return html`<${Dialog} title="Keyboard shortcuts" onClose=${onClose}><div class="shortcuts">
    <dl>${OTHERS.map(([all, words]) => html`<div key=${words}><dt>${keys(all)}</dt><dd>${words}</dd></div>`)}</dl>
    <dl>${PAGES.map(([letter, , words]) => html`<div key=${words}><dt>${keys(["g", letter])}</dt><dd>${words}</dd></div>`)}</dl></div><//>`;
}
