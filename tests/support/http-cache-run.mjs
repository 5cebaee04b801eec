// One run of http-cache-tests (npm, BSD) through a proxy, as a program: `node http-cache-run.mjs URL KIND` writes its results
// as JSON. A process of its own, because the suite keeps what it found in its modules. The kinds: `answers` as the suite has
// them; `pages`, all of them HTML that somebody navigates to; `filled`, the same, but without a look at the headers that a
// page which is made for its visitor must not keep, so that a case goes on to what it is about.

import { getResults, runTests } from "http-cache-tests/client/runner.mjs";
import suites from "http-cache-tests/tests/index.mjs";
import surrogate from "http-cache-tests/tests/surrogate-control.mjs";
import { isStale } from "../../worker/freshness.mjs";

const [baseUrl, kind] = process.argv.slice(2);
const all = [...suites, surrogate];

/** What a browser says when somebody navigates. */
const NAVIGATION = kind === "answers" ? {} : { accept: "text/html,application/xhtml+xml,*/*;q=0.8", "sec-fetch-dest": "document" };
const isOverlooked = (name) => kind === "filled" && (name === "cache-control" || isStale(name));
/** All cases side by side: most of their time they wait. */
const AT_ONCE = 1_000;

for (const request of all.flatMap(({ tests }) => tests).flatMap(({ requests }) => requests)) {
  const headers = (request.response_headers ??= []);
  // The third field: whether it is looked for in the answer.
  for (const header of headers.filter(([name]) => isOverlooked(name.toLowerCase()))) header[2] = false;
  if (kind !== "answers" && !headers.some(([name]) => name.toLowerCase() === "content-type")) headers.push(["Content-Type", "text/html; charset=utf-8", false]);
}

/** Node's own, without what is said to a browser's cache: there is none here. */
async function ask(url, { method, headers = [], body, redirect = "manual" } = {}) {
  const asked = new Headers(headers.map(([name, value]) => [name, String(value)]));
  if (url.startsWith(`${baseUrl}/test/`)) for (const [name, value] of Object.entries(NAVIGATION)) asked.set(name, value);
  const answer = await fetch(url, { method, headers: asked, body, redirect });
  if (kind === "filled") {
    // The suite looks for its own page.
    const text = answer.text.bind(answer);
    answer.text = async () => (await text()).replace(/<edge-slot.*$/s, "");
  }
  return answer;
}

// Of what the suite says beside its results nothing is a result.
console.log = console.error;
await runTests(all, ask, false, baseUrl, AT_ONCE);
process.stdout.write(JSON.stringify(getResults()));
