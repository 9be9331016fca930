// Requests to the program that this page comes from.

import { currentToken } from "./token.js";

const LONGEST = 20_000; // milliseconds that an answer may take

/** An answer that is no success. `code` is the program's word for it, as "unknown" or "refused". */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** A response that is a success, its body not yet read. */
export async function open(path, options = {}) {
  const headers = { ...options.headers };
  const token = currentToken();
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(`api/${path}`, {
    ...options, headers, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer",
  });
  if (!response.ok) throw await errorOf(response);
  return response;
}

export async function get(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const response = await open(query ? `${path}?${query}` : path, timed());
  return response.json();
}

export async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  const response = await open(path, { method: "POST", headers, body: JSON.stringify(body), ...timed() });
  return response.json();
}

const timed = () => ({ signal: AbortSignal.timeout(LONGEST) });

async function errorOf(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Not from the program, but from something in between.
  }
  return new ApiError(
    response.status, error.code ?? "failed", error.message ?? `the answer was ${response.status}`,
  );
}
