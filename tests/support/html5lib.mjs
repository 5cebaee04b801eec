// The cases of html5lib-tests as pages: what each of them gives to a parser, and nothing of what it expects of one.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { path } from "./paths.mjs";

const ROOT = path("../shared/data/html5lib");

/** Why there are no cases; nothing where they are. */
export const noHtml5lib = existsSync(ROOT) ? false : "skipped: no ../shared";

const files = (folder) => readdirSync(join(ROOT, folder)).filter((name) => /\.(test|dat)$/.test(name)).sort();

/** @returns {Generator<{ name: string, input: Buffer }>} */
function* tokenizer() {
  for (const file of files("tokenizer")) {
    const { tests, xmlViolationTests } = JSON.parse(readFileSync(join(ROOT, "tokenizer", file), "utf8"));
    for (const [i, { input, doubleEscaped }] of (tests ?? xmlViolationTests).entries()) {
      // What JSON can't say, such as half of a surrogate pair; in UTF-8 that is the replacement character.
      const text = doubleEscaped ? input.replace(/\\u([0-9a-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))) : input;
      yield { name: `tokenizer/${file}/${i}`, input: Buffer.from(text) };
    }
  }
}

/** Those of the folder `scripted` are left out: they are about what a script does to a page. @returns {Generator<{ name: string, input: Buffer }>} */
function* trees() {
  for (const file of files("tree-construction")) {
    // One character per byte: some hold bytes that are no text.
    const sections = readFileSync(join(ROOT, "tree-construction", file), "latin1").split(/(?:^|\n\n)#data\n/).slice(1);
    for (const [i, section] of sections.entries()) {
      const [data] = section.split(/^#errors$/m);
      yield { name: `tree-construction/${file}/${i}`, input: Buffer.from(data.replace(/\n$/, ""), "latin1") };
    }
  }
}

/** All cases: a name that fits into an address, and the bytes. */
export const cases = () => ({ tokenizer: [...tokenizer()], trees: [...trees()] });
