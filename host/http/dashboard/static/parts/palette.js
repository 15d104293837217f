// The command palette (Ctrl-K): to any page, function, entity or instance, and the buttons of the page.
import { html, useEffect, useId, useMemo, useRef, useState } from "../vendor/preact.js";
import { get } from "../lib/api.js";
import { best, functionItems, searched } from "../lib/finding.js";
import { DASHBOARD, canName } from "../lib/base.js";
import { navigate, pagePath } from "../lib/router.js";
import { Dialog } from "./dialog.js";
import { showShortcuts } from "./shortcuts.js";

const PAUSE_MS = 150;
let functions = []; // as they were when the palette was open last

/** `pages` are those of the navigation. */
export function Palette({ pages, onClose }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [known, setKnown] = useState(functions);
  const id = useId();
  const list = useRef();
  const buttons = useMemo(buttonsOfPage, []);
  const found = useSearch(text);
  const items = useMemo(() => allItems({ text, pages, buttons, known, found }), [text, known, found]);
  const chosen = Math.min(at, items.length - 1);
  useEffect(() => {
    get("/admin/functions").then((all) => setKnown((functions = all)), () => {});
  }, []);
  useEffect(() => list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }), [chosen]);

  const open = (item) => {
    onClose();
    if (item?.run) item.run();
    else if (item) go(item.path);
  };
  const onKey = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || items.length === 0) return;
    event.preventDefault();
    setAt((chosen + step + items.length) % items.length);
  };
  const onInput = (event) => {
    setText(event.target.value);
    setAt(0);
  };
  const onSubmit = (event) => {
    event.preventDefault();
    if (items[chosen]) open(items[chosen]);
  };
  return html`<${Dialog} title="Go to" onClose=${onClose}><form onSubmit=${onSubmit}>
      <input class="input" type="text" role="combobox" aria-label="A page, function, entity, or the beginning of an instance's id" placeholder="Page, function, instance id, entity@key"
        aria-expanded="true" aria-autocomplete="list" aria-controls=${id} aria-activedescendant=${items.length > 0 ? `${id}-${chosen}` : undefined}
        autofocus autocomplete="off" spellcheck=${false} value=${text} onInput=${onInput} onKeyDown=${onKey} /></form>
    <ul class="palette-list" role="listbox" id=${id} aria-label="What is found" ref=${list}>
      ${items.map((item, number) => html`<li key=${`${item.group} ${item.label}`} id=${`${id}-${number}`} role="option" aria-selected=${number === chosen}
          onMouseMove=${() => number !== chosen && setAt(number)} onClick=${() => open(item)}>
        <span class="palette-label">${item.label}</span>${item.note && html`<span class="muted">${item.note}</span>`}<span class="palette-group">${item.group}</span></li>`)}
    </ul>
    <p class="muted palette-foot"><kbd>↑</kbd> <kbd>↓</kbd> choose · <kbd>Enter</kbd> open · <kbd>?</kbd> on a page shows all shortcuts</p><//>`;
}

/** A path with its query; null is of what no URL can name. */
function go(path) {
  if (path === null) return;
  const { pathname, searchParams } = new URL(DASHBOARD + path, location.origin);
  navigate(pathname.slice(DASHBOARD.length), Object.fromEntries(searchParams));
}

/** The buttons in the head of the page: what can be done there. */
function buttonsOfPage() {
  const head = document.querySelectorAll("#main .page-actions button:not(:disabled)");
  return [...head].map((button) => ({ group: "On this page", label: button.getAttribute("aria-label") || button.textContent.trim(), run: () => button.click() })).filter(({ label }) => label);
}

function allItems({ text, pages, buttons, known, found }) {
  const wanted = text.trim();
  const ofPages = pages.map(({ path, nav }) => ({ group: "Pages", label: nav.label, path }));
  const help = { group: "Help", label: "Keyboard shortcuts", run: showShortcuts };
  const shown = [...best(buttons, wanted), ...best(ofPages, wanted, wanted ? 6 : ofPages.length), ...best([help], wanted)];
  if (!wanted) return shown;
  const items = [...shown, ...best(functionItems(known), wanted), ...found];
  const isThere = found.some(({ label }) => label === wanted);
  return isThere || wanted.includes("@") || !canName(wanted) ? items : [...items, { group: "Instances", label: `Instance ${wanted}`, note: "by its id", path: pagePath("instances", wanted) }];
}

/** What the host finds, a moment after the last key; what it cannot answer is not shown. */
function useSearch(text) {
  const [found, setFound] = useState([]);
  useEffect(() => {
    const control = new AbortController();
    const look = () => searched(text, control.signal).then((items) => control.signal.aborted || setFound(items), () => {});
    const timer = setTimeout(look, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [text]);
  return found;
}
