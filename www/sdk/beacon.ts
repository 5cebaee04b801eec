// Tells the ledger what was seen and what was reached. It runs only where the visitor consented: pages in contextual mode
// don't load it. Design goals, in order: never disturb the page, never lose an event, never count one twice, stay small.
//
// An event stays in the outbox until the ledger has acknowledged it; sending it again is harmless, because the ledger
// knows it by its receipt.

const ENDPOINT = "/_edgeloom/collect";
const OUTBOX = "edgeloom.outbox";
const SEEN = "edgeloom.seen";
/** Half of the slot for one second: the Media Rating Council's viewable impression. */
const VISIBLE_SHARE = 0.5;
const VISIBLE_MILLIS = 1000;
/** More than the ledger takes at once waits for the next call; more than this is not kept. */
const BATCH = 50;
const MAX_KEPT = 200;

interface Event {
  kind: "exposure" | "reward";
  receipt: string;
  goal?: string;
  value?: number;
}

interface Slot {
  place: string;
  receipt?: string;
}

/** What the site's own scripts may call. */
interface Edgeloom {
  /** Counts a goal for what this visitor has seen in this session; `value` is in the site's currency. */
  reward(goal: string, value?: number): void;
}

function read<T>(name: string, empty: T): T {
  try {
    return (JSON.parse(sessionStorage.getItem(name) ?? "null") as T | null) ?? empty;
  } catch {
    return empty;
  }
}

function write(name: string, value: unknown): void {
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Full or forbidden: the event is still sent once, from memory.
  }
}

/** What waits; in memory too, for where nothing can be stored. */
let outbox: Event[] = [];
let sending = false;

/** Takes up what other pages of this tab left: one that comes back from the cache would overwrite it otherwise. */
function takeUp(): void {
  const key = ({ kind, receipt, goal }: Event) => `${kind} ${receipt} ${goal ?? ""}`;
  const known = new Set(outbox.map(key));
  outbox = [...outbox, ...read<Event[]>(OUTBOX, []).filter((event) => !known.has(key(event)))];
}

function keep(event: Event): void {
  takeUp();
  outbox = [...outbox, event].slice(-MAX_KEPT);
  write(OUTBOX, outbox);
}

/** Sends what waits; what was acknowledged leaves the outbox, everything else stays for the next page. */
async function send(): Promise<void> {
  if (sending) return;
  takeUp();
  if (outbox.length === 0) return;
  sending = true;
  let taken = false;
  const batch = outbox.slice(0, BATCH);
  try {
    const answer = await fetch(ENDPOINT, { method: "POST", body: JSON.stringify({ events: batch }), keepalive: true });
    // These will never be taken, so keeping them would only block the others; anything else may pass.
    if (answer.ok || [400, 413, 415, 422].includes(answer.status)) {
      outbox = outbox.filter((event) => !batch.includes(event));
      write(OUTBOX, outbox);
      taken = true;
    }
  } catch {
    // Offline or blocked: stays in the outbox.
  } finally {
    sending = false;
  }
  // What came in meanwhile goes out now; after a failure it waits for the next page.
  if (taken) void send();
}

/** Records the exposure once the slot was really seen. */
function watch(element: Element, receipt: string): void {
  let timer: number | undefined;
  const observer = new IntersectionObserver(
    (entries) => {
      const entry = entries[entries.length - 1];
      const visible = entry.intersectionRatio >= VISIBLE_SHARE || entry.intersectionRect.height >= innerHeight * VISIBLE_SHARE;
      clearTimeout(timer);
      if (!visible) return;
      timer = setTimeout(() => {
        observer.disconnect();
        write(SEEN, [...read<string[]>(SEEN, []), receipt].slice(-MAX_KEPT));
        keep({ kind: "exposure", receipt });
        void send();
      }, VISIBLE_MILLIS);
    },
    { threshold: [0, 0.1, 0.25, VISIBLE_SHARE, 1] },
  );
  observer.observe(element);
}

function start(): void {
  const island = document.getElementById("edgeloom-decisions");
  const slots = Object.values((JSON.parse(island?.textContent ?? "{}") as { slots?: Record<string, Slot> }).slots ?? {});
  for (const { place, receipt } of slots) {
    const element = document.querySelector(place);
    if (element && receipt) watch(element, receipt);
  }
  const api: Edgeloom = {
    reward(goal, value) {
      for (const receipt of read<string[]>(SEEN, [])) keep({ kind: "reward", receipt, goal, value });
      void send();
    },
  };
  Object.defineProperty(window, "edgeloom", { value: Object.freeze(api) });
  // The last chance of a page: nobody hears the answer, so everything stays in the outbox as well.
  addEventListener("pagehide", () => {
    if (outbox.length > 0) navigator.sendBeacon?.(ENDPOINT, JSON.stringify({ events: outbox.slice(0, BATCH) }));
  });
  // Back from the browser's cache: what other pages of this tab have sent meanwhile is done, what still waits goes out.
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    // While a call is under way it knows its events by identity, so that they stay the same.
    if (!sending) outbox = read(OUTBOX, outbox);
    void send();
  });
  void send();
}

try {
  start();
} catch (error) {
  console.warn("edgeloom", error);
}
