// Opening and closing a session.
import { ApiError, get, post } from "./api.js";
import { session } from "./session.js";

/** Learns who is signed in. */
export async function loadSession() {
  try {
    session.set({ state: "open", ...(await get("/dashboard/session")) });
  } catch (error) {
    const isRefused = error instanceof ApiError && error.status === 401;
    session.set(isRefused ? { state: "closed" } : { state: "unreachable", message: error.message });
  }
}

/** Turns a key into a session. Throws ApiError. */
export async function signIn(key) {
  session.set({ state: "open", ...(await post("/dashboard/login", { key })) });
}

/** Ends the session in this browser. */
export async function signOut() {
  await post("/dashboard/logout");
  session.set({ state: "closed" });
}
