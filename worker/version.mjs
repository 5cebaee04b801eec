// What tells one version of a page from the next, as far as its origin says.

/** What the origin calls this version of the page, if it says, with the slots that are looked for in it. */
export function versionOf({ headers }, { places }) {
  return (headers.get("etag") ?? headers.get("last-modified") ?? "") + places;
}

/** `places` begin with a character that no header has. */
export const isNamed = (version) => !version.startsWith("\0");
