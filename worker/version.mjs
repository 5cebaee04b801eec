// What tells one version of a page from the next, as far as its origin says.

/** What was learned of a page that doesn't name its version holds for so many views; then it is looked at again. */
export const UNNAMED_VIEWS = 62;

/** What the origin calls this version of the page; nothing where it doesn't say. */
export const nameOf = ({ headers }) => headers.get("etag") ?? headers.get("last-modified") ?? "";

/** The version of a page with the slots that are looked for in it. */
export const versionOf = (response, { places }) => nameOf(response) + places;

/** `places` begin with a character that no header has. */
export const isNamed = (version) => !version.startsWith("\0");
