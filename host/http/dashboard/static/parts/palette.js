// The command palette (Ctrl-K): until it has more to offer, it leads to a page or an instance.
import { html, useState } from "../vendor/preact.js";
import { navigate } from "../lib/router.js";
import { Dialog } from "./dialog.js";
import { Field } from "./field.js";

/** `pages` are those of the navigation. */
export function Palette({ pages, onClose }) {
  const [text, setText] = useState("");
  const found = pages.filter(({ nav }) => nav.label.toLowerCase().includes(text.trim().toLowerCase()));
  const open = (path) => {
    onClose();
    navigate(path);
  };
  const onSubmit = (event) => {
    event.preventDefault();
    if (found.length > 0) open(found[0].path);
    else if (text.trim()) open(`/instances/${encodeURIComponent(text.trim())}`);
  };
  return html`<${Dialog} title="Go to" onClose=${onClose}><form onSubmit=${onSubmit}>
    <${Field} label="A page, or the id of an instance" type="search" value=${text} onChange=${setText} autofocus /></form>
    <ul class="palette-list">${found.map(({ path, nav }) => html`<li key=${path}><button type="button" class="plain" onClick=${() => open(path)}>${nav.label}</button></li>`)}</ul>
  <//>`;
}
