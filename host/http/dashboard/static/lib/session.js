// Who is signed in. Without keys on the host everybody who reaches it is administrator.
import { createStore } from "./store.js";

const ROLES = ["read", "operate", "admin"];

/**
 * `state` is "loading", "open", "closed" (a key is needed) or "unreachable"; an open one has what
 * GET /dashboard/session says: role, keyName, csrfToken, hub, hostVersion, expiresAt.
 */
export const session = createStore({ state: "loading" });

/** Whether who is signed in may do what needs this role. */
export function may(role) {
  const { state, role: own } = session.get();
  return state === "open" && ROLES.indexOf(own) >= ROLES.indexOf(role);
}
