// Many things at once, but not all of them.

/**
 * Runs through all items in so many lanes, each with one item at a time.
 *
 * @template T
 * @param {T[]} items
 * @param {number} lanes
 * @param {(item: T) => Promise<unknown>} run
 */
export async function inParallel(items, lanes, run) {
  let next = 0;
  const lane = async () => {
    while (next < items.length) await run(items[next++]);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
