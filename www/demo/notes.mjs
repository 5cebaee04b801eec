// The notes of the demo's magazine as pages: `notes.jsonl` through `note.html` and `notes.html`. Serves nothing.

import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What the pages are made of; they are as old as the youngest of these. */
export const SOURCES = ["notes.jsonl", "note.html", "notes.html"].map((name) => join(import.meta.dirname, name));
/** Links under a note. */
const NEXT = 3;
const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });

/** All notes, each with its fields. */
export async function notes() {
  const text = await readFile(SOURCES[0], "utf8");
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line)).map(({ id, text, fields }) => ({ id, text, ...fields }));
}

/** All notes, the newest first. */
export const newest = (all) => all.toSorted((a, b) => (a.published < b.published ? 1 : -1));

/** The pages, by address. */
export async function pages() {
  const [notePage, indexPage] = await Promise.all(SOURCES.slice(1).map((path) => readFile(path, "utf8")));
  const all = newest(await notes());
  const pages = new Map([["/notes/", index(indexPage, all)]]);
  for (const note of all) pages.set(note.link, page(notePage, note, all));
  return pages;
}

function page(template, note, all) {
  const next = all.filter((other) => other.topic === note.topic && other !== note).slice(0, NEXT);
  const day = DAY.format(new Date(note.published));
  const values = { ...note, topic: named(note.topic), anchor: anchor(note.topic), day };
  return fill(template, escaped(values, { next: next.map((note) => `<li>${link(note)}</li>`).join("\n        ") }));
}

function index(template, all) {
  const names = [...new Set(all.map((note) => note.topic))].sort();
  const items = (topic) => all.filter((note) => note.topic === topic).map((note) => `<li>${link(note)}</li>`);
  const links = names.map((topic) => `<li><a href="#${anchor(topic)}">${escape(named(topic))}</a></li>`);
  const sections = names.map(
    (topic) => `<section class="topic" id="${anchor(topic)}" aria-labelledby="${anchor(topic)}-head">
  <h2 id="${anchor(topic)}-head">${escape(named(topic))}</h2>
  <ul>
    ${items(topic).join("\n    ")}
  </ul>
</section>`,
  );
  return fill(template, { count: all.length, topics: links.join("\n  "), sections: sections.join("\n") });
}

const link = (note) => `<a href="${note.link}">${escape(note.title)}</a>`;
const named = (topic) => topic[0].toUpperCase() + topic.slice(1);
const anchor = (topic) => topic.replaceAll(" ", "-");
const escape = (text) => String(text).replace(/[&<>"]/g, (mark) => `&#${mark.codePointAt(0)};`);
const escaped = (texts, html) => ({ ...Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, escape(text)])), ...html });

/** Puts values into the holes of a template; a hole without one is a mistake of ours. */
function fill(template, values) {
  return template.replace(/\{\{(\w+)\}\}/g, (hole, name) => {
    if (!(name in values)) throw new Error(`nothing fills ${hole}`);
    return values[name];
  });
}
