// What tells one version of a page from the next, as far as its origin says.

/** What the origin calls this version of the page, if it says, with the slots that are looked for in it. */
export function versionOf(response, slots) {
  const name = response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
  return `${name}\n${slots.map((slot) => slot.css).join("\n")}`;
}

export const isNamed = (version) => !version.startsWith("\n");
