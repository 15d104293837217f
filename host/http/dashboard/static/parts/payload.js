// Data of authors' functions: shown as text, whatever it is. Long texts are folded.
import { html, useMemo, useState } from "../vendor/preact.js";
import { bytes } from "../lib/format.js";
import { visible } from "../lib/visible.js";
import { Icon } from "./icon.js";
import { toast } from "./toast.js";

const FOLDED = 4000;
const MOST_SHOWN = 200_000;

/**
 * A value as indented JSON, or a text (`isText`) as it is. `name` is what the file of a download is
 * called. `value` undefined shows that there is none.
 */
export function Payload({ value, isText = false, name = "payload" }) {
  const [isOpen, setOpen] = useState(false);
  const text = useMemo(() => textOf(value, isText), [value, isText]);
  if (text === null) return html`<span class="muted">none</span>`;
  const limit = isOpen ? MOST_SHOWN : FOLDED;
  const isCut = text.length > limit;
  return html`<div class="payload">
    <pre class="code" tabindex="0" dir="ltr">${isCut ? text.slice(0, limit) : text}${isCut ? "…" : ""}</pre>
    <div class="payload-foot">
      <span class="muted">${bytes(new Blob([text]).size)}</span>
      ${text.length > FOLDED && html`<button type="button" class="plain link" onClick=${() => setOpen(!isOpen)}>${isOpen ? "Show less" : "Show more"}</button>`}
      ${isOpen && isCut && html`<span class="muted">the rest is in the download</span>`}
      <button type="button" class="plain" title="Copy" aria-label="Copy" onClick=${() => copy(text)}><${Icon} name="copy" size=${15} /></button>
      <button type="button" class="plain" title="Download" aria-label="Download" onClick=${() => save(text, name, isText)}><${Icon} name="download" size=${15} /></button>
    </div></div>`;
}

function textOf(value, isText) {
  if (value === undefined) return null;
  return isText && typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** Puts a text on the clipboard. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("The browser does not let this page use the clipboard.", { kind: "bad" });
  }
}

/** Gives a text to be kept as a file. */
export function save(text, name, isText = false) {
  const type = isText ? "text/plain" : "application/json";
  const url = URL.createObjectURL(new Blob([text], { type }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = visible(name.includes(".") ? name : `${name}.${isText ? "txt" : "json"}`);
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
