// Dialogs: the page behind them waits.
import { html, useId, useLayoutEffect, useRef, useState } from "../vendor/preact.js";
import { Field } from "./field.js";
import { Icon } from "./icon.js";

/** A dialog that is open as long as it is there. `actions` are its buttons. */
export function Dialog({ title, onClose, children, actions, isWide = false }) {
  const box = useRef();
  const id = useId();
  useLayoutEffect(() => { // who sees it can close it: its Escape would go to the page behind it
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  const hasBegun = useRef(false);
  useLayoutEffect(() => { // the first field may be there later, when it is known what is asked
    const field = hasBegun.current ? null : box.current.querySelector(".dialog-body :is(input, select, textarea)");
    if (field === null) return;
    hasBegun.current = true;
    field.focus();
  });
  const onBackdrop = (event) => event.target === box.current && onClose();
  const onCancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${box} class=${isWide ? "dialog wide" : "dialog"} aria-labelledby=${id} onMouseDown=${onBackdrop} onCancel=${onCancel}>
    <header class="dialog-head"><h2 id=${id}>${title}</h2>
      <button type="button" class="plain" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button></header>
    <div class="dialog-body">${children}</div>
    ${actions && html`<footer class="dialog-foot">${actions}</footer>`}
  </dialog>`;
}

/**
 * Asks before something is done. `onConfirm(values)` may be async; the dialog stays open with the
 * reason if it throws, and closes if not. `fields`: [{name, label, hint, type, value}] are asked for.
 */
export function Confirm({ title, children, action = "Do it", isDanger = false, fields = [], onConfirm, onClose }) {
  const [values, setValues] = useState(() => Object.fromEntries(fields.map((each) => [each.name, each.value ?? ""])));
  const [error, setError] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const confirm = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await onConfirm(values);
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form onSubmit=${confirm}>
      ${children}
      ${fields.map((each) => html`<${Field} key=${each.name} label=${each.label} hint=${each.hint} type=${each.type ?? "text"}
        value=${values[each.name]} options=${each.options} onChange=${(value) => setValues((was) => ({ ...was, [each.name]: value }))} />`)}
      ${error && html`<p class="error-text" role="alert">${error.message}</p>`}
      <div class="dialog-foot"><button type="button" class="button" onClick=${onClose}>Cancel</button>
        <button type="submit" class=${`button ${isDanger ? "danger" : "primary"}`} disabled=${isBusy}>${action}</button></div>
    </form>
  <//>`;
}
