// Lists that the host gives page by page. Which page is shown stands in the URL.
import { hubPath, page, segment } from "./api.js";
import { useLive } from "./live.js";
import { usePlace, useQuery } from "./router.js";

const NUMBER = /^[1-9]\d{0,5}$/;
const NO_SUCH_PAGE = /continuation token/i; // so the host calls what names a page

/**
 * One page of the list at a management operation's path, whose parts are given: ["entities", name].
 * It is kept up to date: what `useLive` gives, with `data` the rows. `params` filter it; they may be a
 * function that gives them, with a `key` in the options that says what the list is of, and `fixed`:
 * which parameters of the URL stand for what it gave, since a page is of one list only.
 *
 * `number` is that of the page, null if the URL does not say it. `first`, `back` and `next` lead to
 * another page, and are null where there is none; `back`, too, where nobody came from the page before.
 * `isNoPage`: the URL names a page that this list does not have.
 */
export function usePaged(parts, params = {}, options = {}) {
  const [{ after = "", page: said }, setParams] = useQuery();
  const { before } = usePlace();
  const { key: list = [parts, params], fixed = () => ({}), ...others } = options;
  const shown = JSON.stringify([list, after]);
  const read = async ({ signal }) => {
    const asked = typeof params === "function" ? params() : params;
    return { ...(await page(hubPath(parts.map(segment).join("/")), asked, after, { signal })), asked, shown };
  };
  const live = useLive(read, { ...others, key: shown });
  const following = live.data?.shown === shown ? live.data.token : "";
  const number = after === "" ? 1 : NUMBER.test(said) ? Number(said) : null;
  const go = (token, newNumber, tokens, changes = {}) => {
    setParams({ ...changes, after: token, page: token === "" ? null : newNumber }, { replace: false, keepsPage: true, before: tokens });
    scrollTo(0, 0);
  };
  return {
    ...live,
    data: live.data?.items,
    number,
    isNoPage: after !== "" && NO_SUCH_PAGE.test(live.error?.message),
    first: after === "" ? null : () => go("", 1, []),
    back: before?.length > 0 ? () => go(before.at(-1), number && number - 1, before.slice(0, -1)) : null,
    next: following ? () => go(following, number && number + 1, [...(before ?? []), after], fixed(live.data.asked)) : null,
  };
}
