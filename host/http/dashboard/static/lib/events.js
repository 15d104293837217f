// The host's live feed (GET /events): one connection for all of the page, open while somebody
// watches. A host that has none is asked again later; pages read each few seconds anyhow.
import { hubPath, urlOf } from "./api.js";
import { paused } from "./settings.js";

const AGAIN_MS = 30_000;
// What happens to instances. Activities begin and end most often, and a turn follows each of them:
// a host that works hard would spend as much on telling of these as on all other events together.
const KINDS = "started,turn,ended,quarantined,activityFailed";
const watchers = new Set();
let source = null;
let retry = 0;

/** Calls `tell` with each event until the function that this gives is called. */
export function watchEvents(tell) {
  watchers.add(tell);
  follow();
  return () => {
    watchers.delete(tell);
    follow();
  };
}

function follow() {
  const wanted = watchers.size > 0 && !document.hidden && !paused.get();
  if (wanted && source === null && !retry) open();
  if (!wanted) close();
}

function open() {
  source = new EventSource(urlOf(hubPath("events"), { kind: KINDS }));
  source.onmessage = ({ data }) => tellAll(data);
  source.onerror = () => {
    if (source?.readyState !== EventSource.CLOSED) return;
    close();
    retry = setTimeout(() => {
      retry = 0;
      follow();
    }, AGAIN_MS);
  };
}

function close() {
  source?.close();
  source = null;
  clearTimeout(retry);
  retry = 0;
}

function tellAll(data) {
  let event;
  try {
    event = JSON.parse(data);
  } catch {
    return;
  }
  for (const tell of [...watchers]) tell(event);
}

document.addEventListener("visibilitychange", follow);
paused.subscribe(follow);
