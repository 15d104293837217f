// A form made of a JSON schema, as Python annotations give it; what it cannot show is asked as JSON.
import { html, useMemo, useState } from "../vendor/preact.js";
import { Field, jsonOf } from "./field.js";

/**
 * A form for a value of this schema, or a JSON field where the schema says nothing. `onChange` gets
 * {value} or {error}; undefined is no value. One can always write JSON instead.
 */
export function SchemaForm({ schema, onChange, label = "Input" }) {
  const root = useMemo(() => resolved(schema ?? {}, schema ?? {}), [schema]);
  const canShow = useMemo(() => isForm(root, schema ?? {}), [root]);
  const [asJson, setAsJson] = useState(!canShow);
  const [text, setText] = useState("");
  const [value, setValue] = useState(() => initial(root, schema ?? {}));
  const [error, setError] = useState(null);

  const tell = (next) => {
    setValue(next);
    setError(null);
    onChange({ value: next });
  };
  const read = (written) => {
    setText(written);
    try {
      const next = jsonOf(written);
      setError(null);
      setValue(next);
      onChange({ value: next });
    } catch (failure) {
      setError(failure.message);
      onChange({ error: failure.message });
    }
  };
  const turn = () => {
    if (!asJson) setText(value === undefined ? "" : JSON.stringify(value, null, 2));
    setAsJson(!asJson);
  };
  return html`<fieldset class="schema-form"><legend>${label}
      ${canShow && html` <button type="button" class="plain link" disabled=${Boolean(error)} onClick=${turn}>${asJson ? "as a form" : "as JSON"}</button>`}</legend>
    ${asJson
      ? html`<${Field} label=${`${label} (JSON)`} isLabelHidden type="json" value=${text} error=${error} hint="Empty: none." onChange=${read} />`
      : html`<${Part} schema=${root} root=${schema} label=${label} value=${value} onChange=${tell} isTop />`}
  </fieldset>`;
}

function Part({ schema, root, label, value, onChange, isRequired = true, isTop = false }) {
  const meant = resolved(schema, root);
  const hint = meant.description;
  const name = isRequired ? label : `${label} (may be left out)`;
  if (meant.enum) {
    const options = [...(isRequired && value !== undefined ? [] : [["", "–"]]), ...meant.enum.map((each) => [JSON.stringify(each), String(each)])];
    return html`<${Field} label=${name} isLabelHidden=${isTop} hint=${hint} type="select" options=${options} value=${value === undefined ? "" : JSON.stringify(value)}
      onChange=${(text) => onChange(text === "" ? undefined : JSON.parse(text))} />`;
  }
  if (meant.type === "boolean") return html`<${Field} label=${name} hint=${hint} type="checkbox" value=${value ?? false} onChange=${onChange} />`;
  if (meant.type === "integer" || meant.type === "number") {
    return html`<${Field} label=${name} isLabelHidden=${isTop} hint=${hint} type="number" step=${meant.type === "integer" ? 1 : "any"} min=${meant.minimum} max=${meant.maximum}
      value=${value ?? ""} onChange=${(text) => onChange(text === "" ? undefined : Number(text))} />`;
  }
  if (meant.type === "string") {
    return html`<${Field} label=${name} isLabelHidden=${isTop} hint=${hint} value=${value ?? ""} onChange=${(text) => onChange(text === "" && !isRequired ? undefined : text)} />`;
  }
  if (meant.type === "object" && meant.properties) {
    const required = new Set(meant.required ?? []);
    const set = (key, next) => {
      const { [key]: _, ...others } = value ?? {};
      onChange(next === undefined ? others : { ...others, [key]: next });
    };
    const members = Object.entries(meant.properties).map(([key, each]) => html`<${Part} key=${key} schema=${each} root=${root}
      label=${each.title ?? key} isRequired=${required.has(key)} value=${value?.[key]} onChange=${(next) => set(key, next)} />`);
    return isTop ? members : html`<fieldset class="nested"><legend>${name}</legend>${members}</fieldset>`;
  }
  return html`<${JsonPart} label=${name} hint=${hint} value=${value} onChange=${onChange} />`;
}

/** A member that no field can show: its JSON. What is not JSON yet is not told. */
function JsonPart({ label, hint, value, onChange }) {
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value));
  const [error, setError] = useState(null);
  const read = (written) => {
    setText(written);
    try {
      onChange(jsonOf(written));
      setError(null);
    } catch (failure) {
      setError(failure.message);
    }
  };
  return html`<${Field} label=${label} hint=${hint ?? "JSON"} error=${error} type="json" rows="3" value=${text} onChange=${read} />`;
}

/** The schema itself where it is a reference, or may be null besides. */
function resolved(schema, root) {
  let found = schema;
  for (let step = 0; step < 20; step += 1) {
    const { $ref: reference, anyOf, allOf } = found;
    if (typeof reference === "string" && reference.startsWith("#/")) found = { ...at(root, reference), ...without(found, "$ref") };
    else if (allOf?.length === 1) found = { ...allOf[0], ...without(found, "allOf") };
    else if (anyOf?.filter((each) => each.type !== "null").length === 1) {
      found = { ...anyOf.find((each) => each.type !== "null"), ...without(found, "anyOf") };
    } else return found;
  }
  return {};
}

const without = (schema, name) => Object.fromEntries(Object.entries(schema).filter(([key]) => key !== name));

const at = (root, reference) =>
  reference.slice(2).split("/").reduce((part, key) => part?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], root) ?? {};

const isForm = (schema) =>
  Boolean(schema.enum) || ["boolean", "integer", "number", "string"].includes(schema.type) || Boolean(schema.type === "object" && schema.properties);

/** What the form begins with: the defaults, and what must be there and has an obvious beginning. */
function initial(schema, root) {
  const meant = resolved(schema, root);
  if (meant.default !== undefined) return meant.default;
  if (meant.type === "object" && meant.properties) {
    const required = new Set(meant.required ?? []);
    const value = {};
    for (const [key, each] of Object.entries(meant.properties)) {
      const start = required.has(key) || each.default !== undefined ? initial(each, root) : undefined;
      if (start !== undefined && start !== null) value[key] = start;
    }
    return value;
  }
  return { string: "", boolean: false }[meant.type];
}
