// What the command palette finds: pages, functions, entities, instances, and buttons of the page.
import { hubPath, page as readPage, segment } from "./api.js";
import { entityNames, entityPage } from "./entities.js";
import { pagePath } from "./router.js";

const MOST = 6;

/**
 * Whether a text is meant by what somebody wrote: 0 if not, more the better it fits. Letters may be
 * left out, as in "qr" for Quarantine.
 */
export function fitOf(wanted, text) {
  const [short, long] = [wanted.toLowerCase(), text.toLowerCase()];
  if (short === "") return 1;
  if (long === short) return 100;
  if (long.startsWith(short)) return 80;
  if (new RegExp(`[^\\p{L}\\p{N}]${escaped(short)}`, "u").test(long)) return 60;
  if (long.includes(short)) return 40;
  let at = 0;
  for (const letter of short) {
    at = long.indexOf(letter, at) + 1;
    if (at === 0) return 0;
  }
  return 10;
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The items that fit, the best first; each has a `label`. */
export function best(items, wanted, most = MOST) {
  return items.map((item, at) => ({ item, at, fit: fitOf(wanted, item.label) }))
    .filter(({ fit }) => fit > 0)
    .sort((one, other) => other.fit - one.fit || one.at - other.at)
    .slice(0, most).map(({ item }) => item);
}

/** Functions and entities by name, from what GET /admin/functions answers. */
export const functionItems = (functions) => [
  ...functions.map(({ name }) => ({ group: "Functions", label: name, path: pagePath("functions", name) })),
  ...entityNames(functions).map((name) => ({ group: "Entities", label: `Entities of ${name}`, path: `/entities?${new URLSearchParams({ name })}` })),
];

/** Instances whose id begins so, and with "name@key" entities; one of that very id can be gone to anyhow. */
export async function searched(wanted, signal) {
  const text = wanted.trim();
  if (!text) return [];
  const [instances, entities] = await Promise.all([instancesOf(text, signal), entitiesOf(text, signal)]);
  return [...instances, ...entities];
}

async function instancesOf(text, signal) {
  if (text.includes("@")) return [];
  const params = { instanceIdPrefix: text, showInput: false, showOutput: false, top: MOST };
  const { items } = await readPage(hubPath("instances"), params, "", { signal });
  return items.map(({ instanceId, name, runtimeStatus }) => ({
    group: "Instances", label: instanceId, note: `${name} · ${runtimeStatus}`, path: pagePath("instances", instanceId),
  })).sort((one, other) => one.label.length - other.label.length); // children come after their parents
}

async function entitiesOf(text, signal) {
  const [, name, keyPrefix] = /^@?([^@]+)@(.*)$/.exec(text) ?? [];
  if (name === undefined) return [];
  const { items } = await readPage(hubPath(`entities/${segment(name)}`), { keyPrefix, includeWithoutState: true, top: MOST }, "", { signal });
  return items.map(({ entityId }) => ({ group: "Entities", label: `${entityId.name}@${entityId.key}`, path: entityPage(entityId.name, entityId.key) }));
}
