// What an isolate remembers of pages, without ever holding more than so much: what was noted longest ago goes first.

/** A map of at most so many entries. */
export class Recent extends Map {
  #most;

  /** @param {number} most */
  constructor(most) {
    super();
    this.#most = most;
  }

  /** Notes something as the newest. */
  set(key, value) {
    this.delete(key);
    if (this.size >= this.#most) this.delete(this.keys().next().value);
    return super.set(key, value);
  }
}
