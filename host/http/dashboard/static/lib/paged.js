// Lists that the host gives page by page.
import { useState } from "../vendor/preact.js";
import { hubPath, page, segment } from "./api.js";
import { useLive } from "./live.js";

/**
 * One page of the list at a management operation's path, whose parts are given: ["entities", name].
 * It is kept up to date: what `useLive` gives, with `data` the rows; `number` from 1
 * on; `next` and `back` lead to another page, and are null where there is none. Other `params` are
 * another list, which begins at its first page.
 */
export function usePaged(parts, params = {}, options = {}) {
  const list = JSON.stringify([parts, params]);
  const [place, setPlace] = useState({ list, tokens: [""] });
  const tokens = place.list === list ? place.tokens : [""];
  const token = tokens.at(-1);
  const shown = JSON.stringify([list, token]);
  const read = async ({ signal }) => ({ ...(await page(hubPath(parts.map(segment).join("/")), params, token, { signal })), shown });
  const live = useLive(read, { ...options, key: shown });
  const isThis = live.data?.shown === shown;
  const following = isThis ? live.data.token : "";
  return {
    ...live,
    data: live.data?.items,
    number: tokens.length,
    next: following ? () => setPlace({ list, tokens: [...tokens, following] }) : null,
    back: tokens.length > 1 ? () => setPlace({ list, tokens: tokens.slice(0, -1) }) : null,
  };
}
