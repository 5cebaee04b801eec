// Where things are, the secrets tests sign in with, and what wrangler.toml says of the runtime.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** An absolute path below the root of the project. */
export function path(relative) {
  return fileURLToPath(new URL(`../../${relative}`, import.meta.url));
}

/** The site every test runs as. */
export const SITE = "test";

/** Secrets of the tests; two receipt keys, so that the older one is in use too. */
export const SECRETS = {
  ADMIN_TOKENS: "t:test-only-admin-token-of-32-characters",
  IMPORT_KEYS: "t:test-only-import-key-of-32-characters-",
  RECEIPT_KEYS: "2:test-only-receipt-key-of-at-least-32-characters,1:test-only-older-receipt-key-of-32-characters",
};

/** The bearer token that goes with them. */
export const ADMIN_TOKEN = "test-only-admin-token-of-32-characters";

/** The day whose behaviour the runtime is asked for. */
export function compatibilityDate() {
  const found = /^compatibility_date = "([\d-]+)"/m.exec(readFileSync(path("wrangler.toml"), "utf8"));
  if (!found) throw new Error("wrangler.toml has no compatibility_date");
  return found[1];
}

/** A path that the build makes; says what to do when it isn't there. */
export function built(relative) {
  const full = path(relative);
  if (!existsSync(full)) throw new Error(`${relative} is missing. hint: run the tests with \`cargo xtask test\``);
  return full;
}
