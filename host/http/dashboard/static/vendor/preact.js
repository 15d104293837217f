// The front-end library of the dashboard, as its packages publish it: Preact 11.2.0 and its hooks
// (MIT, LICENSE-preact.txt), htm 3.1.1 (Apache-2.0, LICENSE-htm.txt). In `preact-hooks.js` only
// the name of the module that it imports was changed: a browser knows no bare names.
//
// Sizes in style objects need their unit ("4px"): Preact 11 adds none.
import { createContext, createElement, Component, Fragment, options, render } from "./preact-core.js";
import htm from "./htm.js";

export { createContext, Component, Fragment, options, render };
export {
  useCallback, useContext, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "./preact-hooks.js";
export const html = htm.bind(createElement);
