// A button that changes something: shown to who may, with a question before, told of after.
import { html, useState } from "../vendor/preact.js";
import { may } from "../lib/api.js";
import { Confirm } from "./dialog.js";
import { Icon } from "./icon.js";
import { toast, told } from "./toast.js";

/**
 * `needs` is the role that it takes. `run(values)` does it; `done` is what is told then, or a
 * function of the answer, and `onDone(answer)` comes after. With `ask` ({title, text, action,
 * fields}) a dialog asks before; its fields give the values. `name` says which one is meant, where
 * several buttons have the same label.
 */
export function Action({ label, name, icon, needs = "operate", run, done, onDone, ask, isDanger = false, look = "small", isDisabled = false }) {
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);
  if (!may(needs)) return null;
  const act = async (values) => {
    const answer = await run(values);
    const text = typeof done === "function" ? done(answer) : done;
    if (text) toast(text);
    onDone?.(answer);
  };
  const onClick = async () => {
    if (ask) return setAsking(true);
    setBusy(true);
    await told(() => run({}).then((answer) => (onDone?.(answer), answer)), done);
    setBusy(false);
  };
  return html`<button type="button" class=${`button ${look}${isDanger ? " danger" : ""}`} disabled=${isBusy || isDisabled}
      aria-label=${name ? `${label} ${name}` : undefined} onClick=${onClick}>${icon && html`<${Icon} name=${icon} size=${15} />`}${label}</button>
    ${isAsking && html`<${Confirm} title=${ask.title} action=${ask.action ?? label} fields=${ask.fields} isDanger=${isDanger}
      onConfirm=${act} onClose=${() => setAsking(false)}>${ask.text && html`<p>${ask.text}</p>`}<//>`}`;
}
