// A run of a function by hand: an HTTP function by its route, others by the administration.
import { html, useState } from "../vendor/preact.js";
import { hubPath, may, post, segment } from "../lib/api.js";
import { bindingsOf, isRunByOrchestrations, triggerOf } from "../lib/bindings.js";
import { duration } from "../lib/format.js";
import { navigate, pagePath } from "../lib/router.js";
import { session } from "../lib/session.js";
import { Field } from "./field.js";
import { SchemaForm } from "./form_by_schema.js";
import { Card } from "./page_head.js";
import { Payload } from "./payload.js";
import { Status } from "./status.js";
import { toast } from "./toast.js";

const VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const MOST_READ = 1024 * 1024;
const PATIENCE_MS = 60_000;
const BODILESS = new Set(["GET", "HEAD"]);
const PARAMETER = /\{(\*?)([^}:?=]+)[^}]*\}/g;

export function RunCard({ fn }) {
  const type = triggerOf(fn)?.type;
  if (fn.isDisabled) return null;
  if (type === "httpTrigger") return html`<${RunByRoute} fn=${fn} />`;
  if (type === "orchestrationTrigger") return may("operate") ? html`<${Start} fn=${fn} />` : null;
  if (isRunByOrchestrations(fn)) return null;
  return may("admin") ? html`<${RunByHand} fn=${fn} />` : null;
}

/** Starts an orchestration. */
function Start({ fn }) {
  const [given, setGiven] = useState({ value: undefined });
  const [id, setId] = useState("");
  const [error, setError] = useState(null);
  const start = async (event) => {
    event.preventDefault();
    if (given.error) return setError(new Error(given.error));
    try {
      const path = `orchestrators/${segment(fn.name)}${id ? `/${segment(id)}` : ""}`;
      const answer = await post(hubPath(path), given.value, { version: fn.version });
      toast(`${answer.id} is started.`);
      navigate(pagePath("instances", answer.id));
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<${Card} title="Start it"><form onSubmit=${start}>
    <${SchemaForm} schema=${fn.inputSchema} onChange=${setGiven} />
    <${Field} label="Id of the instance" value=${id} onChange=${setId} hint="Empty: the host chooses one." />
    ${error && html`<p class="error-text" role="alert">${error.message}</p>`}
    <button type="submit" class="button primary">Start</button></form><//>`;
}

/** Runs what a timer, a queue or a person triggers: in the background, so its answer is not seen. */
function RunByHand({ fn }) {
  const [text, setText] = useState("");
  const [error, setError] = useState(null);
  const run = async (event) => {
    event.preventDefault();
    setError(null);
    try {
      await post(`/admin/functions/${segment(fn.name)}`, text === "" ? {} : { input: text });
      toast(`${fn.name} runs in the background; if it fails, the log of the host says why.`);
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<${Card} title="Run it now" note="in the background"><form onSubmit=${run}>
    <${Field} label="Input" type="json" value=${text} onChange=${setText} hint="A text as its trigger would give it: the body of a message, say." />
    ${error && html`<p class="error-text" role="alert">${error.message}</p>`}
    <button type="submit" class="button primary">Run</button></form><//>`;
}

/** Sends a request to the function, as any client would, and shows the answer. */
function RunByRoute({ fn }) {
  const { methods, authLevel } = bindingsOf(fn).find(({ type }) => type === "httpTrigger");
  const route = (fn.invoke_url_template ?? "").replace(/^https?:\/\/[^/]+/, "");
  const parameters = [...route.matchAll(PARAMETER)].map(([whole, isRest, name]) => ({ name, isNeeded: !isRest && !/[?=]/.test(whole) }));
  const verbs = methods ?? VERBS;
  const [given, setGiven] = useState({ verb: verbs[0], query: "", body: "", key: "" });
  const [answer, setAnswer] = useState(null);
  const [missing, setMissing] = useState([]);
  const [isBusy, setBusy] = useState(false);
  const field = (key, more) => html`<${Field} value=${given[key] ?? ""} onChange=${(value) => setGiven((was) => ({ ...was, [key]: value }))} ...${more} />`;
  const hasBody = !BODILESS.has(given.verb);
  const asksForKey = Boolean(session.get().keyName) && authLevel !== "anonymous";
  const run = async (event) => {
    event.preventDefault();
    const empty = parameters.filter(({ name, isNeeded }) => isNeeded && !given[`path ${name}`]).map(({ name }) => name);
    setMissing(empty);
    if (empty.length > 0) return;
    setBusy(true);
    setAnswer(await answerOf(given.verb, () => urlFor(route, given), hasBody ? given.body : undefined, given.key));
    setBusy(false);
  };
  return html`<${Card} title="Send it a request" note=${html`<code>${route}</code>`}><form onSubmit=${run}>
    <div class="filters">${field("verb", { label: "Verb", type: "select", options: verbs })}
      ${parameters.map(({ name, isNeeded }) => field(`path ${name}`, { label: name, key: name, hint: isNeeded ? undefined : "May be empty.",
        error: missing.includes(name) ? `The route needs a value for ${name}.` : undefined }))}
      ${field("query", { label: "Query", hint: "Such as a=1&b=2" })}</div>
    ${hasBody && field("body", { label: "Body", type: "json" })}
    ${asksForKey && field("key", { label: "Key of the function", type: "password", hint: "It is sent with this request and kept nowhere." })}
    <button type="submit" class="button primary" disabled=${isBusy}>Send</button></form>
    <div aria-live="polite">${answer && html`<${Answer} answer=${answer} />`}</div><//>`;
}

function urlFor(route, given) {
  const filled = route.replace(PARAMETER, (_, isRest, name) => {
    const value = given[`path ${name}`] ?? "";
    return isRest ? value.split("/").map(segment).join("/") : segment(value);
  });
  const path = filled.replace(/\/+$/, ""); // optional parts that are left out end it early
  return given.query ? `${path}?${given.query.replace(/^\?/, "")}` : path;
}

async function answerOf(method, urlOf, body, key) {
  const start = performance.now();
  const headers = {};
  if (body) headers["content-type"] = isJson(body) ? "application/json" : "text/plain";
  if (key) headers["x-functions-key"] = key;
  try {
    const response = await fetch(urlOf(), { method, headers, body: body || undefined, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    const type = response.headers.get("content-type") ?? "";
    return { status: response.status, words: response.statusText, type, ...(await beginningOf(response)), seconds: (performance.now() - start) / 1000 };
  } catch (error) {
    return { error: error.name === "TimeoutError" ? "none came within a minute." : error.message };
  }
}

/** The text of an answer: no more of it than can be shown, and of one that does not end what came. */
async function beginningOf(response) {
  if (!response.body) return { text: "", isCut: false };
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let size = 0; size < MOST_READ;) {
      const { done, value } = await reader.read();
      if (done) return { text: text + decoder.decode(), isCut: false };
      size += value.length;
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    if (error.name !== "TimeoutError") throw error;
  }
  reader.cancel().catch(() => {});
  return { text, isCut: true };
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function Answer({ answer: { error, status, words, type, text, isCut, seconds } }) {
  if (error) return html`<p class="error-text" role="alert">The request got no answer: ${error}</p>`;
  const tone = status < 300 ? "good" : status < 400 ? "info" : "bad";
  return html`<div class="answer"><p class="row"><${Status} value=${`${status} ${words}`} tone=${tone} /><span class="muted">${duration(seconds)} · ${type || "no body"}</span></p>
    ${isCut && html`<p class="muted">Only the beginning is shown: it is longer than 1 MiB, or had no end within a minute.</p>`}
    ${text !== "" && html`<${Payload} value=${isJson(text) ? JSON.parse(text) : text} isText=${!isJson(text)} name="answer" />`}</div>`;
}
