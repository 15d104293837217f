// Entities by their paths.
import { hubPath, segment } from "./api.js";
import { pagePath } from "./router.js";

const EMPTY_KEY = "$"; // what stands in a URL for the key that is empty

const keyPart = (key) => (key === "" ? EMPTY_KEY : key);

/** The path of an operation on an entity: entityPath("account", "ann", "/lock"). */
export const entityPath = (name, key, rest = "") => hubPath(`entities/${segment(name)}/${segment(keyPart(key))}${rest}`);

/** The path of an entity's page; null where no URL can name it. */
export const entityPage = (name, key) => pagePath("entities", name, keyPart(key));

/** The key that a part of a page's path means. */
export const keyOf = (part) => (part === EMPTY_KEY ? "" : part);

/** The names of entity functions among what GET /admin/functions answers. */
export const entityNames = (functions) =>
  functions.flatMap(({ name, config }) => (config?.bindings ?? [])
    .filter(({ type }) => type === "entityTrigger")
    .map(({ entityName }) => entityName ?? name));
