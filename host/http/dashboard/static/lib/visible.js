// What would be invisible in a text, or turn it round, is seen. All that is drawn passes here: every
// text of every page, and the attributes that are read out or shown. So no page can forget it.
import { options } from "../vendor/preact.js";

// controls, halves of characters, and what Unicode says may be left out of sight: marks of direction,
// joiners, soft hyphens, tags, fillers, selectors; of those that end a line only the usual one is left
// (what holds an emoji together is no secret: it is seen as that emoji)
const GLUE = String.raw`(?<=\p{Extended_Pictographic})\ufe0f|(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d(?=\p{Extended_Pictographic})`;
const HIDDEN = new RegExp(String.raw`(?![\t\n]|${GLUE})[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\ufff9-\ufffb]`, "gu");
const ATTRIBUTES = ["title", "aria-label", "aria-description", "aria-valuetext", "placeholder", "alt", "label", "download"];

/** The text with such characters spelled out: `\u202e`, `\u{e0041}`. */
export const visible = (text) => text.replace(HIDDEN, spelled);

function spelled(character) {
  const code = character.codePointAt(0).toString(16).padStart(4, "0");
  return code.length > 4 ? `\\u{${code}}` : `\\u${code}`;
}

/** From now on all that is drawn is seen. The value of a field stays what it is. */
export function seeAll() {
  const before = options.vnode;
  options.vnode = (vnode) => {
    see(vnode);
    before?.(vnode);
  };
}

function see(vnode) {
  const { type, props } = vnode;
  if (type === null) {
    if (typeof props === "string") vnode.props = visible(props);
  } else if (typeof type === "string") {
    for (const name of ATTRIBUTES) if (typeof props[name] === "string") props[name] = visible(props[name]);
  }
}
