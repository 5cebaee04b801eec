// Receipts written by the documented format and by nothing of ours: what the Worker accepts is what the format says.

import { createHash, createHmac, randomBytes } from "node:crypto";
import { SECRETS } from "./paths.mjs";

const [CURRENT] = SECRETS.RECEIPT_KEYS.split(",");

/** The key of tokens of a purpose that belongs to a secret. */
const keyOf = (secret, purpose) => createHash("sha256").update(`edgeloom key v1\0${purpose}\0${secret}`).digest();

/** A signed token: `receipt`, or the visitor's `cookie`. */
export function token(purpose, content, { key = CURRENT, format = 1 } = {}) {
  const [kid, secret] = key.split(/:(.*)/s);
  const signed = Buffer.concat([Buffer.from([format, Number(kid)]), content]);
  const tag = createHmac("sha256", keyOf(secret, purpose)).update(signed).digest().subarray(0, 16);
  return Buffer.concat([signed, tag]).toString("base64url");
}

function varint(number) {
  const bytes = [];
  for (let rest = BigInt(number); ; rest >>= 7n) {
    const low = Number(rest & 0x7fn);
    if (rest < 0x80n) return Buffer.from([...bytes, low]);
    bytes.push(low | 0x80);
  }
}

const text = (value) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);

const FLAGS = { shared: 1, heldOut: 2, perView: 4, imported: 8 };

/**
 * A signed receipt of an unshared decision.
 *
 * @param {object} [fields]
 * @param {Buffer} [fields.decision]  16 bytes; random otherwise
 * @param {number} [fields.time]  milliseconds since the epoch
 * @param {string[]} [fields.flags]  `shared`, `heldOut`, …
 * @param {string} [fields.key]  `kid:secret` of another key
 * @param {number} [fields.format]
 */
export function receipt({ decision = randomBytes(16), slot = "hero", arm = "bold", propensity = 0.5, time = Date.now(), flags = [], shards = 1, key = CURRENT, format = 1, version = Buffer.alloc(16) } = {}) {
  const double = Buffer.alloc(8);
  double.writeDoubleLE(propensity);
  const content = Buffer.concat([
    Buffer.from([flags.reduce((bits, flag) => bits | FLAGS[flag], 0), 1 | (arm === null ? 0 : 2), shards]),
    decision,
    version,
    double,
    varint(time),
    randomBytes(8),
    text(slot),
    arm === null ? Buffer.alloc(0) : text(arm),
  ]);
  return token("receipt", content, { key, format });
}

/** An exposure as a page sends it. */
export const exposure = (token) => ({ kind: "exposure", receipt: token });

/** A reward as a page sends it. */
export const reward = (token, goal = "order", value = undefined) => ({ kind: "reward", receipt: token, goal, value });
