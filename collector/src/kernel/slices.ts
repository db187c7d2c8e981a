import { setImmediate as turn } from 'node:timers/promises';

/** Items before the event loop runs again: two small files of each take some milliseconds on a small device. */
const ITEMS_PER_SLICE = 100;

/** Runs an action that reads kernel files for one item after the other, and lets the event loop run in between. */
export async function forEachInSlices<Item>(
  items: readonly Item[],
  action: (item: Item) => Promise<void>,
): Promise<void> {
  for (const [index, item] of items.entries()) {
    if (index > 0 && index % ITEMS_PER_SLICE === 0) await turn();
    await action(item);
  }
}
