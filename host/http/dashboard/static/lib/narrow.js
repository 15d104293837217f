// Whether the window is as narrow as a phone: for rows whose height is known before they are drawn.
// Elsewhere the style sheets see to it.
import { createStore } from "./store.js";

const query = matchMedia("(max-width: 46rem)"); // the same as in the style sheets

/** Kept up to date. */
export const isNarrow = createStore(query.matches);
query.addEventListener("change", () => isNarrow.set(query.matches));
