// Where the host is, for a browser: behind a proxy it may be below a path.
const here = new URL(import.meta.url).pathname;

/** What every path of the host begins with: "" or a path such as "/hub". */
export const HOST = here.slice(0, here.lastIndexOf("/dashboard/lib/"));
/** What every path of the dashboard begins with. */
export const DASHBOARD = `${HOST}/dashboard`;

const FOLDERS = new Set([".", ".."]);
const HALVES = /[\ud800-\udfff]/u;

/** Whether a URL can hold a name: browsers take "." and ".." out, encoded or not, and encode no half of a character. */
export const canName = (name) => !FOLDERS.has(String(name)) && !HALVES.test(name);
