// The quick way decides as the usual one: the same arms for the same visit, whatever the facts are.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Engine, initSync } from "../../build/web/edgeloom.js";
import { Form } from "../../build/web/form.js";

initSync({ module: readFileSync(new URL("../../build/web/edgeloom_bg.wasm", import.meta.url)) });

const when = [
  { country: { $in: ["DE", "AT"] }, age: { $gte: 18 } },
  { plan: "größe", path: { $regex: "^/tee" } },
  { device: "phone", vip: true },
  { hour: { $lt: 12 }, note: { $regex: "end$" } },
  { referrer: null, language: { $ini: ["DE-AT"] } },
];
const config = {
  site: "form",
  goals: [{ id: "order" }],
  audiences: when.map((condition, i) => ({ id: `a${i}`, when: condition })),
  slots: when.map((_, i) => ({
    id: `s${i}`,
    goal: "order",
    audience: `a${i}`,
    policy: { burn_in: 0, assignment: i % 2 ? "per_view" : "sticky" },
    arms: [{ id: "0" }, { id: "1" }, { id: "2" }],
  })),
};
const preview = () => Engine.preview(JSON.stringify({ config, learned: [] }));
const NAMES = ["path", "referrer", "country", "language", "device", "time_millis", "plan", "age", "vip", "note"];
const hex = (n) => n.toString(16).padStart(32, "0");

/** What `Engine.decide` says to the facts of a form, as a form says it. */
function usual(engine, visitor, decision, facts) {
  const known = Object.fromEntries(NAMES.map((name, i) => [name, facts[i]]).filter(([, fact]) => fact !== undefined && fact !== null));
  const { path = "", referrer, country, language, device = "", time_millis = 0, ...attributes } = known;
  const told = engine.decide({ path, referrer, country, language, device, time_millis, attributes, visitor: visitor ?? undefined, decision });
  const slots = config.slots.map(({ id }) => told.slots.find((slot) => slot.slot === id));
  return { arms: slots.map((slot) => Number(slot?.arm ?? -1)), propensities: slots.map((slot) => slot?.propensity ?? 1) };
}

test("a form finds the arms that the engine finds", () => {
  const engine = preview();
  assert.deepEqual(engine.warnings, []);
  const form = new Form(engine, NAMES);
  const choices = [
    ["/", "/tee/grün", "/tee", undefined],
    [undefined, "example.org"],
    ["DE", "AT", "FR", null],
    ["de-at", "DE-AT", "en"],
    ["phone", "toaster", undefined],
    [0, 1_795_525_500_000, 43_200_000],
    ["größe", "groß", "𝄞", "", undefined],
    [17, 18, 33.5, Number.NaN, undefined],
    [true, false, undefined],
    ["end", `${"a long one ".repeat(500)}end`, `${"ä".repeat(3000)}end`, "no", undefined],
  ];
  const seen = new Set();
  for (let i = 0; i < 3000; i++) {
    // Different strides meet all the pairs.
    const facts = choices.map((list, k) => list[(i * (k + 1) + (i >> k)) % list.length]);
    const visitor = i % 3 ? hex(i) : undefined;
    const arms = [...form.arms(visitor, hex(7 * i), facts)];
    const expected = usual(engine, visitor, hex(7 * i), facts);
    assert.deepEqual(arms, expected.arms, JSON.stringify(facts));
    const decided = form.decide(visitor, hex(7 * i), facts);
    assert.deepEqual({ arms: [...decided.arms], propensities: [...decided.propensities] }, expected, JSON.stringify(facts));
    arms.forEach((arm, slot) => seen.add(`${slot} ${arm}`));
  }
  assert.equal(seen.size, config.slots.length * 4, "every outcome of every slot was there");
});

test("a form goes on when the memory has grown", () => {
  const engine = preview();
  const [one, two] = [new Form(engine, NAMES), new Form(engine, NAMES)];
  const facts = ["/", undefined, "DE", undefined, undefined, 0, undefined, 20];
  const before = [...one.arms(hex(1), hex(2), facts)];
  two.arms(hex(1), hex(2), [...facts.slice(0, 6), "x".repeat(3_000_000)]);
  assert.deepEqual([...one.arms(hex(1), hex(2), facts)], before);
  assert.deepEqual([...two.arms(hex(1), hex(2), facts)], before);
});

test("what a form can't take is refused, and the next visit is as good as ever", () => {
  const engine = preview();
  assert.throws(() => new Form(engine, ["query"]), /hint:/);
  const form = new Form(engine, NAMES);
  engine.free();
  const facts = ["/", undefined, "DE", undefined, undefined, 0, undefined, 20];
  const before = [...form.arms(hex(1), hex(2), facts)];
  for (const wrong of ["", "12", hex(2).slice(1) + "g", hex(2).slice(1) + "é", hex(2) + "0", undefined, 7]) {
    assert.throws(() => form.arms(hex(1), wrong, facts), /32 hexadecimal digits/);
    if (wrong !== undefined) assert.throws(() => form.arms(wrong, hex(2), facts), /32 hexadecimal digits/);
  }
  assert.throws(() => form.arms(hex(1), hex(2), [["/"]]), /path is neither/);
  assert.deepEqual([...form.arms(hex(1), hex(2), facts)], before);
  form.free();
  assert.throws(() => form.arms(hex(1), hex(2), facts));
});
