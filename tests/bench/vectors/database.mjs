// What hnswlib-wasm keeps its indexes in is the browser's IndexedDB and nothing else: this is one that answers at once from memory,
// so that its load costs what is its own.

/** Contents by name of the database, then by key. */
const databases = new Map();

export const contentOf = (name) => {
  if (!databases.has(name)) databases.set(name, new Map());
  return databases.get(name);
};

const request = (result) => {
  const made = { result };
  queueMicrotask(() => made.onsuccess?.({ target: made }));
  return made;
};

const storeOf = (content) => ({
  indexNames: { contains: () => true },
  createIndex() {},
  get: (key) => request(content.get(key)),
  // A copy, as the true one makes: what is put may be a view of a memory that goes on changing.
  put: (value, key) => request(content.set(key, structuredClone(value)) && key),
  delete: (key) => request(content.delete(key)),
  index: () => ({
    openKeyCursor() {
      const entries = [...content].map(([primaryKey, { timestamp: key }]) => ({ primaryKey, key }));
      const made = {};
      const next = () => {
        const entry = entries.shift();
        made.result = entry ? { ...entry, continue: () => queueMicrotask(next) } : null;
        made.onsuccess?.({ target: made });
      };
      queueMicrotask(next);
      return made;
    },
  }),
});

globalThis.indexedDB = {
  open(name) {
    const store = storeOf(contentOf(name));
    const transaction = () => {
      const made = { objectStore: () => store };
      setTimeout(() => made.oncomplete?.({ target: made }), 0);
      return made;
    };
    return request({ objectStoreNames: { contains: () => true }, createObjectStore: () => store, transaction });
  },
};
