// Lists that the host gives page by page.
import { useState } from "../vendor/preact.js";
import { page } from "./api.js";
import { useLive } from "./live.js";

/**
 * One page of a list, kept up to date: what `useLive` gives, with `data` the rows; `number` from 1
 * on; `next` and `back` lead to another page, and are null where there is none. Other `params` are
 * another list, which begins at its first page.
 */
export function usePaged(path, params = {}, options = {}) {
  const list = JSON.stringify([path, params]);
  const [place, setPlace] = useState({ list, tokens: [""] });
  const tokens = place.list === list ? place.tokens : [""];
  const token = tokens.at(-1);
  const shown = JSON.stringify([list, token]);
  const read = async ({ signal }) => ({ ...(await page(path, params, token, { signal })), shown });
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
