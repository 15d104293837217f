// A filter that is typed: it stands in the page's URL once nobody types any more.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { listOf } from "../lib/router.js";
import { Field } from "./field.js";

const TYPING_MS = 400;

/** The values that stand there with commas between them. */
export const split = (text) => listOf(text).flatMap((each) => each.split(",")).map((each) => each.trim()).filter(Boolean);

/** The field of one parameter: `name` among `params`. */
export function Typed({ label, name, params, setParams, ...rest }) {
  const meant = listOf(params[name]).join(", ");
  const [text, setText] = useState(meant);
  const timer = useRef(0);
  useEffect(() => setText(meant), [meant]);
  const type = (value) => {
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setParams({ [name]: value.trim() }), TYPING_MS);
  };
  return html`<${Field} label=${label} value=${text} onChange=${type} ...${rest} />`;
}
