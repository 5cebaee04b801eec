// The status page as text; that it is served, and to whom, is in admin.test.mjs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { age, grouped, pageOfStatus, percent } from "../worker/src/status/page.js";

const rate = { exposures: 1234, rewards: 56, mean: 0.05, low: 0.04, high: 0.06 };
const increment = {
  goal: "buy", shown: { exposures: 9_000, rewards: 500, value: 4_000 }, held_out: { exposures: 1_000, rewards: 40, value: 300 },
  p_positive: 0.98, p_value_positive: 0.97, lift: [0.02, 0.38, null], rate: [0, 0.01, 0.02], value: [0, 0.1, 0.2], earned: [12.5, 1_300, 2_587.5],
};
const status = {
  site: "shop",
  snapshot: { version: "0123456789abcdef", sequence: 7, age_millis: 4_200 },
  config_version: "fedcba9876543210",
  slots: [{ slot: "hero", goal: "buy", policy: "thompson", arms: [{ ...rate, arm: "a", p_best: 0.9, share: 0.8 }, { ...rate, arm: "b", p_best: 0.1, share: 0.2 }], held_out: { ...rate, exposures: 99 }, increments: [increment], sample_ratio: 0.4, tripped: null }],
  refused: { late: 3 },
  repeated: 1,
  shards: [{ version: 10 }, { version: 32 }],
  dead_letters: 0, dead_events: 0,
};
const page = (change) => pageOfStatus(JSON.stringify({ ...status, ...change }));

test("names are text and nothing else, wherever they stand", () => {
  const evil = `"'><script>alert(1)</script>&`;
  const slots = [{ ...status.slots[0], slot: evil, goal: evil, policy: evil, arms: [{ ...status.slots[0].arms[0], arm: evil }] }];
  const html = page({ site: evil, slots, snapshot: { ...status.snapshot, version: evil }, config_version: evil, refused: { [evil]: 1 } });
  assert.ok(!html.includes("<script"));
  assert.ok(html.includes("&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;"));
  assert.equal(html.split("<style>").length, 2);
});

test("a page has its slots, its holdout without a rate, and its events", () => {
  const html = page();
  for (const part of ["<h1>shop</h1>", "#7", ">01234567<", ">fedcba98<", "<h2>hero</h2>", "thompson for <b>buy</b>", "5.0 %", "1\u202f234", "see below", "<dt>late</dt><dd>3</dd>", "<dt>shards</dt><dd>2</dd>", "<dt>commits</dt><dd>42</dd>"]) {
    assert.ok(html.includes(part), part);
  }
  assert.equal(html.split('class="leads"').length, 2, "one arm leads");
  assert.ok(!/undefined|NaN|\[object/.test(html));
});

test("what was earned against the holdout is told with its interval, and only where it was measured", () => {
  const html = page();
  for (const part of ['class="gain sure"', "<strong>+1\u202f300</strong>", "+12.50 to +2\u202f588", "positive with 97.0 %", "Lift of the rate +38.00 %", "to ? %", "9\u202f000 shown with 500 rewards"]) {
    assert.ok(html.includes(part), part);
  }
  const slots = (change) => [{ ...status.slots[0], ...change }];
  assert.ok(page({ slots: slots({ increments: [] }) }).includes("No increment yet"));
  assert.ok(page({ slots: slots({ increments: [{ ...increment, earned: [-20, -9, -1] }] }) }).includes('class="gain behind"'));
});

test("a tripped wire is told, and nothing else alarms", () => {
  assert.ok(!page().includes('class="warn"'));
  const html = page({ slots: [{ ...status.slots[0], tripped: "goal <buy> is behind" }] });
  assert.ok(html.includes("the baseline is shown: goal &lt;buy&gt; is behind"));
});

test("the share of a policy by context is not one number", () => {
  const arms = [{ ...status.slots[0].arms[0], share: null }];
  assert.ok(page({ slots: [{ ...status.slots[0], arms }] }).includes("by visit"));
});

test("a site without a publication says so", () => {
  const html = page({ snapshot: null, config_version: null, slots: [] });
  assert.ok(html.includes("no snapshot") && html.includes("Nothing is published yet"));
});

test("a share that is not quite everything does not say so", () => {
  assert.deepEqual([1, 0.9999, 0, 0.00001, 0.123].map(percent), ["100.0 %", ">99.9 %", "0.00 %", "<0.01 %", "12.3 %"]);
});

test("numbers are grouped by thousands, ages told in the unit that fits", () => {
  assert.deepEqual([0, 999, 1_234_567].map(grouped), ["0", "999", "1\u202f234\u202f567"]);
  assert.deepEqual([4_200, 600_000, 8 * 86_400_000].map(age), ["4 s", "10 min", "8 days"]);
});
