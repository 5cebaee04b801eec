// Decisions for programs to whom a microsecond is long: the facts are named once and handed over by position at each call,
// written straight into the memory of the wasm (`src/sheet.rs`). For everything else there is `Engine.decide`.

// Marks instead of the end of a text; `sheet.rs` has the same.
const MISSING = -1;
const NUMBER = -2;
const FALSE = -3;
const TRUE = -4;

/** Room for texts at the start, bytes; more is made when a visit needs it. */
const ROOM = 1024;
/** Digits of an id. The visitor's and the decision's stand before the texts. */
const ID = 32;
/** From here on the platform's encoder is quicker than a loop over characters. */
const LONG = 96;

const NO_ID = "a visitor or a decision that is not 32 hexadecimal digits";

const encoder = new TextEncoder();

/** Writes an id where it belongs. What its characters are is looked at by whoever reads it. */
function writeId(place, id) {
  if (typeof id !== "string" || id.length !== ID || write(place, id, 0) !== ID) throw new Error(NO_ID);
}

/** Writes a short text of ASCII and returns where it ends; -1 where it is another kind of text or there is no room. */
function write(bytes, text, at) {
  const n = text.length;
  if (n > LONG || at + n > bytes.length) return -1;
  let units = 0;
  for (let i = 0; i < n; i++) {
    const unit = text.charCodeAt(i);
    units |= unit;
    bytes[at + i] = unit;
  }
  return units > 127 ? -1 : at + n;
}

/** A form for the visits of one engine. */
export class Form {
  #sheet;
  #memory;
  #names;
  #room = ROOM;
  #visitor;
  #decision;
  #texts;
  #marks;
  #numbers;
  #arms;
  #propensities;

  /**
   * @param {import("./edgeloom.js").Engine} engine  decides; may be freed before the form
   * @param {string[]} names  of the facts, in the order in which they will be handed over: `path`, `referrer`, `country`,
   *   `language`, `device`, `time_millis`, and any attribute of the site
   */
  constructor(engine, names) {
    this.#names = [...names];
    this.#sheet = engine.sheet(this.#names);
    this.#memory = this.#sheet.memory();
    this.#look();
  }

  /**
   * The arms for a visit.
   *
   * @param {string | null | undefined} visitor  key of the visitor, 32 hexadecimal digits; without one the view stands for itself
   * @param {string} decision  id of the decision, 32 hexadecimal digits
   * @param {ArrayLike<string | number | boolean | null | undefined>} facts  in the order of the names
   * @returns {Int32Array} per slot of the snapshot the position of its arm; -1 is the page as it is. It is a view: read it
   *   before anything else is asked of the wasm.
   */
  arms(visitor, decision, facts) {
    const end = this.#write(visitor, decision, facts);
    if (!this.#sheet.choose(end)) throw new Error(NO_ID);
    if (this.#texts.length === 0) this.#look();
    return this.#arms;
  }

  /**
   * The arms for a visit and the chances with which they were chosen: for whoever learns from them. Where a slot looks at the
   * visit, that takes some times as long as the arms alone.
   *
   * @param {string | null | undefined} visitor
   * @param {string} decision
   * @param {ArrayLike<string | number | boolean | null | undefined>} facts  all three as for `arms`
   * @returns {{ arms: Int32Array, propensities: Float64Array }} by slot of the snapshot; views, as those of `arms` are
   */
  decide(visitor, decision, facts) {
    const end = this.#write(visitor, decision, facts);
    if (!this.#sheet.decide(end)) throw new Error(NO_ID);
    if (this.#texts.length === 0) this.#look();
    return { arms: this.#arms, propensities: this.#propensities };
  }

  /** Writes a visit down and returns where its texts end. */
  #write(visitor, decision, facts) {
    // Memory that has grown leaves empty views behind.
    if (this.#texts.length === 0) this.#look();
    let texts = this.#texts;
    let marks = this.#marks;
    if (visitor === undefined || visitor === null) marks[0] = MISSING;
    else {
      writeId(this.#visitor, visitor);
      marks[0] = TRUE;
    }
    writeId(this.#decision, decision);
    let end = 2 * ID;
    const n = this.#names.length;
    for (let i = 0; i < n; i++) {
      const fact = facts[i];
      if (typeof fact === "string") {
        const start = end;
        end = write(texts, fact, start);
        if (end < 0) {
          end = this.#encode(fact, start);
          texts = this.#texts;
          marks = this.#marks;
        }
        marks[i + 1] = end;
      } else if (typeof fact === "number") {
        marks[i + 1] = NUMBER;
        this.#numbers[i] = fact;
      } else if (fact === undefined || fact === null) marks[i + 1] = MISSING;
      else if (typeof fact === "boolean") marks[i + 1] = fact ? TRUE : FALSE;
      else throw new TypeError(`${this.#names[i]} is neither text, number, true nor false; hint: Engine.decide takes lists and objects`);
    }
    return end;
  }

  /** Writes any text behind those before and returns where it ends. */
  #encode(text, at) {
    // UTF-8 has at most three bytes for each unit of UTF-16.
    const most = at + 3 * text.length;
    if (most > this.#room) {
      this.#room = 2 * most;
      this.#look();
    }
    return at + encoder.encodeInto(text, this.#texts.subarray(at)).written;
  }

  /** Makes the views anew: at the start, for more room, and when memory has grown. */
  #look() {
    // The texts first, as making room may grow the memory.
    const texts = this.#sheet.texts(this.#room);
    const { buffer } = this.#memory;
    const n = this.#names.length;
    this.#visitor = new Uint8Array(buffer, texts, ID);
    this.#decision = new Uint8Array(buffer, texts + ID, ID);
    this.#texts = new Uint8Array(buffer, texts, this.#room);
    this.#marks = new Int32Array(buffer, this.#sheet.marks(), n + 1);
    this.#numbers = new Float64Array(buffer, this.#sheet.numbers(), n);
    this.#arms = new Int32Array(buffer, this.#sheet.arms(), this.#sheet.n_slots);
    this.#propensities = new Float64Array(buffer, this.#sheet.propensities(), this.#sheet.n_slots);
  }

  /** Gives the memory back. Whoever asks the form after that gets an error. */
  free() {
    this.#sheet.free();
    // Nothing may be written where others live now; without a view `arms` asks the sheet first, which is no more.
    this.#texts = new Uint8Array(0);
  }
}
