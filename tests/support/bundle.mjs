// Workers other than ours, from their code: what ours is compared with.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The classes that the configuration of the runtime asks every Worker for. */
export const OBJECTS = 'import { DurableObject } from "cloudflare:workers";\nexport class Shard extends DurableObject {}\nexport class Root extends DurableObject {}\n';

/** The least a Worker in front of a site can do. */
export const PROXY = `${OBJECTS}export default { fetch(request, env) { const url = new URL(request.url); return fetch(new Request(env.ORIGIN + url.pathname + url.search, request)); } };`;

/** A folder with a Worker of one file. */
export function bundleOf(code) {
  const folder = mkdtempSync(join(tmpdir(), "edgeloom-bundle-"));
  writeFileSync(join(folder, "entry.js"), code);
  return folder;
}
