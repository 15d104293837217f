// Requests to the host: its documented operations, JSON in and out.
import { HOST, canName } from "./base.js";
import { may, session } from "./session.js";
import { createStore } from "./store.js";

export { may };

/** Whether the host has answered what was asked last. */
export const isReached = createStore(true);

const WEBHOOKS = "/runtime/webhooks/durabletask";
const TOKEN = "x-ms-continuation-token";

/** A request that was refused, or got no answer (status 0). */
export class ApiError extends Error {
  constructor(status, message, body = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.body = body;
  }
}

/** The path of a management operation: hubPath("instances/abc"). Its parts are encoded already. */
export const hubPath = (path) => `${WEBHOOKS}/${path}`;

/**
 * A name as a part of a path. Throws ApiError for one that no URL holds: browsers take "." and ".."
 * out of a path, encoded or not, and so the request would go to something else.
 */
export function segment(name) {
  if (!canName(name)) throw new ApiError(400, `'${name}' cannot stand in a URL: browsers would ask for something else.`);
  return encodeURIComponent(name);
}

/** The URL of a path of the host with a query; parameters that are null or "" are left out. */
export function urlOf(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") query.append(name, String(each));
    }
  }
  const text = query.toString();
  return HOST + path + (text ? `?${text}` : "");
}

/** The JSON of a path; null if the answer has no body. Throws ApiError. */
export const get = async (path, params, options) => (await send("GET", path, { params, ...options })).body;
export const post = async (path, body, params, options) =>
  (await send("POST", path, { body, params, ...options })).body;
export const put = async (path, body, params, options) =>
  (await send("PUT", path, { body, params, ...options })).body;
export const del = async (path, params, options) => (await send("DELETE", path, { params, ...options })).body;

const TOKEN_FORM = /^[\x21-\x7e]{0,4000}$/; // what a header can hold

/** A page of a list: {items, token}; the token gives the next page, and is "" on the last one. */
export async function page(path, params, token = "", options = {}) {
  if (!TOKEN_FORM.test(token)) throw new ApiError(400, "That is no continuation token.");
  const headers = token ? { [TOKEN]: token } : {};
  const { body, response } = await send("GET", path, { params, headers, ...options });
  return { items: body, token: response.headers.get(TOKEN) ?? "" };
}

/**
 * Sends a request: {body, response}. `options`: params, body (sent as JSON), text (sent as it is),
 * headers, signal; `asText` gives the body as text. Throws ApiError; an abort throws AbortError.
 */
export async function send(method, path, options = {}) {
  const { params, body, text, headers = {}, signal, asText = false } = options;
  const sent = { ...headers };
  const { csrfToken } = session.get();
  if (csrfToken) sent["x-csrf-token"] = csrfToken;
  if (body !== undefined) sent["content-type"] = "application/json";
  const content = body === undefined ? text : JSON.stringify(body);
  const response = await answerOf(urlOf(path, params), { method, headers: sent, body: content, signal });
  const answer = await response.text();
  if (!response.ok) throw failure(response, answer);
  return { body: asText ? answer : parsed(answer), response };
}

async function answerOf(url, request) {
  try {
    const answer = await fetch(url, { cache: "no-store", credentials: "same-origin", ...request });
    isReached.set(true);
    return answer;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    isReached.set(false);
    throw new ApiError(0, "The host does not answer. Is it running?");
  }
}

function failure(response, text) {
  const body = parsed(text);
  if (response.status === 401 && session.get().state === "open") session.set({ state: "closed" });
  return new ApiError(response.status, messageOf(body) || `The host answers ${response.status}.`, body);
}

const BAD_ARGUMENT = "One or more of the arguments submitted is incorrect"; // what is wrong with which stands beside it

function messageOf(body) {
  if (typeof body === "string") return body;
  const { Message = "", ExceptionMessage = "" } = body ?? {};
  if (!ExceptionMessage || Message === BAD_ARGUMENT) return ExceptionMessage || Message;
  return `${Message}: ${ExceptionMessage}`;
}

/** JSON, else the text itself. */
function parsed(text) {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
