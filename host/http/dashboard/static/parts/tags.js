// Tags as links to the list of what has them, too.
import { html } from "../vendor/preact.js";
import { link } from "../lib/router.js";

/** Those of an instance or an entity; `list` is the path of the page that is filtered by them. */
export const Tags = ({ tags, list }) =>
  Object.entries(tags).map(([name, value]) => html`<a key=${name} class="tag" href=${link(list, { tag: `${name}:${value}` })}>${name}:${value}</a>`);

/** Their text in a column. */
export const tagsText = (tags) => Object.entries(tags ?? {}).map(([name, value]) => `${name}:${value}`).join(" ");
