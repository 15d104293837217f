// Keys that work on every page, and the list of them ("?").
import { html, useLayoutEffect } from "../vendor/preact.js";
import { navigate } from "../lib/router.js";
import { paused } from "../lib/settings.js";
import { createKeptStore, createStore, useStore } from "../lib/store.js";
import { Dialog } from "./dialog.js";
import { Field } from "./field.js";

const SOON_MS = 1500;
const OPENING_MS = 500; // so long the palette may take to be there, and what is typed is for it
/** Whether single letters do something: who dictates, or has a hand that slips, can switch them off. */
const hasLetters = createKeptStore("letters", true);
const isListed = createStore(false);

/** Shows the list of keys. */
export const showShortcuts = () => isListed.set(true);

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
  const isOpen = useStore(isListed);
  useLayoutEffect(() => { // who sees the page can use its keys
    let wentAt = -Infinity;
    let openedAt = -Infinity;
    const onKey = (event) => {
      if (event.ctrlKey || event.metaKey) openedAt = event.timeStamp;
      const isForOthers = isWriting(event.target) || document.querySelector("dialog[open]") || event.timeStamp - openedAt < OPENING_MS;
      if (event.defaultPrevented || event.altKey || isForOthers || !hasLetters.get()) return;
      const isSecond = event.timeStamp - wentAt < SOON_MS;
      wentAt = -Infinity;
      const page = isSecond && PAGES.find(([letter]) => letter === event.key);
      if (page) navigate(page[1]);
      else if (event.key === "g") wentAt = event.timeStamp;
      else if (event.key === "?") showShortcuts();
      else if (event.key === "p") paused.set(!paused.get());
      else if (event.key === "/") toFilter(event);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return isOpen ? html`<${List} onClose=${() => isListed.set(false)} />` : null;
}

const isWriting = (target) => target.closest?.("input, textarea, select, [contenteditable]") !== null && target !== document.body;

function toFilter(event) {
  const field = document.querySelector('#main [role="search"] :is(input, select), #main input[type="search"]');
  if (!field) return;
  event.preventDefault();
  field.focus();
}

function List({ onClose }) {
  const isOn = useStore(hasLetters);
  const keys = (all) => all.map((key, at) => html`<kbd key=${at}>${key}</kbd> `);
  return html`<${Dialog} title="Keyboard shortcuts" onClose=${onClose}><div class="shortcuts">
    <dl>${OTHERS.map(([all, words]) => html`<div key=${words}><dt>${keys(all)}</dt><dd>${words}</dd></div>`)}</dl>
    <dl>${PAGES.map(([letter, , words]) => html`<div key=${words}><dt>${keys(["g", letter])}</dt><dd>${words}</dd></div>`)}</dl></div>
    <${Field} label="Letters do something" type="checkbox" value=${isOn} onChange=${(value) => hasLetters.set(value)} hint="Ctrl K always does." /><//>`;
}
