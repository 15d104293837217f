// Which page the URL means. Filters live in the query, so that any view can be linked to.
import { useMemo } from "../vendor/preact.js";
import { DASHBOARD, canName } from "./base.js";
import { createStore, useStore } from "./store.js";

const place = createStore(readPlace());

function readPlace() {
  const path = location.pathname.slice(DASHBOARD.length) || "/";
  const before = Array.isArray(history.state?.before) ? history.state.before : null;
  return { path, search: location.search, href: path + location.search, before };
}

addEventListener("popstate", () => place.set(readPlace()));

/** The path of a page of something with a name: pagePath("instances", id). Null where no URL can name it. */
export const pagePath = (...parts) => (parts.every(canName) ? `/${parts.map(encodeURIComponent).join("/")}` : null);

/** The URL of a page: link("/instances", {runtimeStatus: ["Failed"]}); of a path that is null there is none. */
export function link(path, params = {}) {
  if (path === null) return null;
  const text = queryOf(params).toString();
  return DASHBOARD + path + (text ? `?${text}` : "");
}

/** Goes to a page, if the path is not null; `replace` leaves no step back. */
export function navigate(path, params = {}, { replace = false } = {}) {
  if (path !== null) go(link(path, params), replace);
}

function go(url, replace, state = null) {
  const { href } = place.get();
  history[replace ? "replaceState" : "pushState"](state, "", url);
  place.set(readPlace());
  if (!replace && href.split("?")[0] !== place.get().path) scrollTo(0, 0);
}

/** The place: {path, search, href, before}, kept up to date; `before` is that of `setParams`, or null. */
export const usePlace = () => useStore(place);

/**
 * The query and how to change it: [params, setParams]. All are texts: of one that stands there several
 * times the first counts, but for those that the page says are `lists` (a text, if it is there once).
 * `setParams({name: value})` changes these alone; null, "" and [] take one away. A list begins at its
 * first page then, unless it `keepsPage` (lib/paged.js); `before` are the tokens of the pages before it.
 */
export function useQuery(lists = NONE) {
  const { search } = usePlace();
  const params = useMemo(() => read(search, (name) => lists.includes(name)), [search]);
  return [params, setParams];
}

const NONE = [];

const FIRST_PAGE = { after: null, page: null };

function setParams(changes, { replace = true, keepsPage = false, before = place.get().before } = {}) {
  const { path, search } = place.get();
  const all = { ...read(search, () => true), ...(keepsPage ? {} : FIRST_PAGE), ...changes };
  go(link(path, all), replace, keepsPage ? { before } : null);
}

function read(search, isList) {
  const query = new URLSearchParams(search);
  return Object.fromEntries([...new Set(query.keys())].map((name) => {
    const values = query.getAll(name);
    return [name, values.length > 1 && isList(name) ? values : values[0]];
  }));
}

/** A parameter as a list, however often it stands there. */
export const listOf = (value) => (value === undefined || value === "" ? [] : [value].flat());

function queryOf(params) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const each of [value].flat()) {
      if (each !== null && each !== undefined && each !== "") query.append(name, String(each));
    }
  }
  return query;
}

/** The page of a path and its parameters: {page, params}; null if there is none. */
export function match(pages, path) {
  const parts = split(path);
  for (const page of pages) {
    const params = matched(split(page.path), parts);
    if (params) return { page, params };
  }
  return null;
}

const split = (path) => path.split("/").filter((part) => part !== "");

function matched(pattern, parts) {
  if (pattern.length !== parts.length) return null;
  const params = {};
  for (const [at, wanted] of pattern.entries()) {
    if (wanted.startsWith(":")) params[wanted.slice(1)] = decoded(parts[at]);
    else if (wanted !== parts[at]) return null;
  }
  return params;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Follows links within the dashboard without loading it anew. */
export function followLinks() {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const anchor = event.target.closest?.("a[href]");
    if (!anchor || anchor.target || anchor.hasAttribute("download")) return;
    const url = new URL(anchor.href, location.href);
    const isOurs = url.pathname === DASHBOARD || url.pathname.startsWith(`${DASHBOARD}/`);
    if (url.origin !== location.origin || !isOurs || url.hash) return;
    event.preventDefault();
    go(url.pathname + url.search, false);
  });
}
