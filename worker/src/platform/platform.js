// Calls to the platform that take or give objects, one function each: what is one line here would be kilobytes of wasm.

/** The outcome of a promise, or an error once the limit has passed. */
async function within(millis, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${millis} ms`)), millis);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A request to a Durable Object, by name; `lines` are names and values of headers in turn. */
export function callObject(env, binding, name, path, method, lines, body, millis) {
  const headers = new Headers();
  for (let i = 0; i < lines.length; i += 2) headers.set(lines[i], lines[i + 1]);
  return within(millis, env[binding].getByName(name).fetch(`http://${binding.toLowerCase()}${path}`, { method, headers, body }));
}

/** The bytes of a KV value, or null. */
export async function kvGet(env, binding, key, cacheTtl, millis) {
  const buffer = await within(millis, env[binding].get(key, { type: "arrayBuffer", ...(cacheTtl > 0 && { cacheTtl }) }));
  return buffer && new Uint8Array(buffer);
}

export function kvPut(env, binding, key, bytes, millis) {
  return within(millis, env[binding].put(key, bytes));
}

/** Writes a KV value that is gone after some seconds. */
export function kvPutFor(env, binding, key, bytes, seconds, millis) {
  return within(millis, env[binding].put(key, bytes, { expirationTtl: seconds }));
}

export function kvDelete(env, binding, key, millis) {
  return within(millis, env[binding].delete(key));
}

/** Whether there is a KV value, without reading it. */
export async function kvHas(env, binding, key, millis) {
  const stream = await within(millis, env[binding].get(key, { type: "stream" }));
  await stream?.cancel();
  return stream !== null;
}

/** The SHA-256 of bytes, in hexadecimal digits; made by the runtime, many times as fast as in the wasm. */
export async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Sends texts as messages of their own. */
export function queueSend(env, binding, texts) {
  return env[binding].sendBatch(texts.map((body) => ({ body, contentType: "text" })));
}

/** Whether a client stays within the rate. */
export async function isWithinRate(env, binding, key) {
  return (await env[binding].limit({ key })).success;
}

/** The body of a request or an answer; null when it has more bytes than allowed. */
export async function bodyOf(message, limit) {
  if (!message.body) return new Uint8Array();
  const chunks = [];
  let length = 0;
  for await (const chunk of message.body) {
    length += chunk.length;
    if (length > limit) return null;
    chunks.push(chunk);
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

export function sleep(millis) {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

/** A response; `lines` as above. */
export function respond(status, body, lines) {
  const response = new Response(body, { status });
  for (let i = 0; i < lines.length; i += 2) response.headers.set(lines[i], lines[i + 1]);
  return response;
}

export function headerOf(message, name) {
  return message.headers.get(name) ?? undefined;
}

/** Sets a header; a value that is no header text leaves it out. */
export function setHeader(message, name, value) {
  try {
    message.headers.set(name, value);
  } catch {}
}

/** A file of the site's own assets; undefined where there are none. */
export async function assetOf(env, request) {
  return env.ASSETS?.fetch(request);
}

/** What an error says, whatever was thrown. */
export function textOf(error) {
  try {
    return String(error?.message ?? error);
  } catch {
    return "an error without a text";
  }
}

export function objectName(state) {
  return state.id.name;
}

export function setAlarm(state, afterMillis) {
  return state.storage.setAlarm(Date.now() + afterMillis);
}

/** Rows of a query, each a list of its columns. */
export function sqlRows(state, query, values) {
  return state.storage.sql.exec(query, ...values).raw().toArray();
}

/** Runs statements that all happen or none; in JavaScript, because a throw is what rolls back, and a throw may not cross Rust frames. */
export function sqlAll(state, statements) {
  state.storage.transactionSync(() => {
    for (const [query, ...values] of statements) state.storage.sql.exec(query, ...values);
  });
}

// Here and not in the wasm: it outlives the instance.
const trap = { criticalError: false };

export function trapState() {
  return trap;
}

/** A panic: logged with its stack, and noted, for nothing of the instance may run again. */
export function noteTrap(what) {
  console.error("Critical", new Error(`Rust panic: ${what}`));
  trap.criticalError = true;
}
