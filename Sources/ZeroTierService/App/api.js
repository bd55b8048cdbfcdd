// The service's interface, as any script can use it. The token goes into a header and nowhere else.

const key = "zerotier.token";
// Where the service begins: the page is in its folder `app`.
const base = new URL("../", new URL(".", location.href));
const patience = 20_000;

let token = sessionStorage.getItem(key);
let onRefusal = () => {};

/** What the service did not do, and why. `status` 0: it did not answer. */
export class ServiceError extends Error {
  constructor(status, message, details = null) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

export function hasToken() {
  return token !== null;
}

/** Keeps a token as long as this tab is there; null forgets it. */
export function setToken(text) {
  token = text;
  if (text === null) sessionStorage.removeItem(key);
  else sessionStorage.setItem(key, text);
}

/** Called when the service does not take the token any more. */
export function whenRefused(body) {
  onRefusal = body;
}

/** Asks the service. Throws a `ServiceError`. */
export async function send(method, path, { body = null, signal = null } = {}) {
  const headers = {};
  if (token !== null) headers["X-ZT1-Auth"] = token;
  if (body !== null) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(new URL(path, base), {
      method, headers, body: body === null ? null : JSON.stringify(body), signal, cache: "no-store",
      credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ServiceError(0, "The service does not answer.");
  }
  if (response.ok) return response;
  if (response.status === 401) onRefusal();
  let details = null;
  try {
    details = await response.json();
  } catch {
    // Some refusals have no body.
  }
  throw new ServiceError(response.status, words(response.status, details), details);
}

function words(status, details) {
  const said = details?.description ?? details?.message;
  // Nobody here wrote the JSON: places in it say nothing.
  if (typeof said === "string" && said !== "") return said.replace(/^line \d+, column \d+: /, "");
  switch (status) {
    case 401: return "The service does not take this token.";
    case 404: return "There is no such thing any more.";
    case 413: return "That is more than the service reads at once.";
    case 503: return "The service is busy. Try again in a moment.";
    default: return `The service answered with status ${status}.`;
  }
}

async function json(method, path, body = null) {
  const response = await send(method, path, { body, signal: AbortSignal.timeout(patience) }).catch((error) => {
    if (error.name === "TimeoutError") throw new ServiceError(0, "The service takes too long to answer.");
    throw error;
  });
  return response.json();
}

export const get = (path) => json("GET", path);
export const post = (path, body = {}) => json("POST", path, body);
export const remove = (path) => json("DELETE", path);

export async function text(path) {
  return (await send("GET", path, { signal: AbortSignal.timeout(patience) })).text();
}

const part = encodeURIComponent;
/** Paths of the controller. */
export const networkPath = (network) => `controller/network/${part(network)}`;
export const memberPath = (network, member) => `${networkPath(network)}/member/${part(member)}`;
