// Fields of forms, each with its label.
import { html, useId } from "../vendor/preact.js";

/**
 * A field. `type`: text, search, number, password, datetime-local, textarea, json, select, checkbox.
 * `options` of a select: texts or [value, label]. `onChange` gets the value: a text, or whether a box
 * is ticked.
 */
export function Field({ label, hint, error, type = "text", value, options, onChange, isLabelHidden = false, ...rest }) {
  const id = useId();
  if (type === "checkbox") {
    return html`<label class="check"><input type="checkbox" checked=${value} onChange=${(event) => onChange(event.target.checked)} ...${rest} />
      <span>${label}</span>${hint && html`<small class="muted">${hint}</small>`}</label>`;
  }
  const note = hint || error ? `${id}-note` : undefined;
  const given = { id, "aria-describedby": note, "aria-invalid": error ? "true" : undefined, ...rest };
  return html`<div class="field">
    <label for=${id} class=${isLabelHidden ? "sr-only" : ""}>${label}</label>
    ${control(type, value, options, (event) => onChange(event.target.value), given)}
    ${note && html`<small id=${note} class=${error ? "error-text" : "muted"}>${error ?? hint}</small>`}
  </div>`;
}

function control(type, value, options, onInput, given) {
  if (type === "select") return html`<${Select} ...${given} value=${value} options=${options} onInput=${onInput} />`;
  if (type === "textarea" || type === "json") {
    const look = type === "json" ? "input code" : "input";
    return html`<textarea class=${look} rows="6" spellcheck=${type !== "json"} value=${value} onInput=${onInput} ...${given}></textarea>`;
  }
  return html`<input class="input" type=${type} value=${value} onInput=${onInput} autocomplete="off" ...${given} />`;
}

/** A choice without a label of its own: give it `aria-label`, or a label by `id`. */
export function Select({ options, value, ...rest }) {
  return html`<select class="input" value=${value} ...${rest}>
    ${options.map((each) => {
      const [key, label] = Array.isArray(each) ? each : [each, each];
      return html`<option key=${key} value=${key} selected=${key === value}>${label}</option>`;
    })}
  </select>`;
}

/** The value of a JSON field: undefined if it is empty. Throws an Error that says what is wrong. */
export function jsonOf(text) {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${error.message}`);
  }
}
