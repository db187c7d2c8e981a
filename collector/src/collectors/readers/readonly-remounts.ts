import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries } from '@thugshells/shared/metrics/series.ts';

import type { Mount } from './mountinfo.ts';

export const readonlyRemounts = declareSeries({
  name: 'filesystem.readonly_remounts_total',
  kind: 'counter',
  unit: 'none',
  help: 'Times that a mounted file system became read-only, by an error or a command; absent while there was none.',
});

/**
 * Counts the mounts that were writable in the last reading and are read-only now. One that was unmounted and mounted
 * again in between is another mount; a root that is made writable only for updates counts after each of them.
 */
export class ReadonlyRemounts {
  #writable: ReadonlySet<string> = new Set();
  readonly #totals = new Map<string, { readonly labels: Labels; total: number }>();

  /** Takes the mounts of a scrape, and returns those that became read-only since the one before. */
  update(mounts: readonly Mount[]): readonly Mount[] {
    const changed = mounts.filter((mount) => mount.isReadonly && this.#writable.has(toKey(mount)));
    this.#writable = new Set(mounts.filter(({ isReadonly }) => !isReadonly).map(toKey));
    for (const { mountpoint, fstype } of changed) {
      const key = `${fstype} ${mountpoint}`;
      const total = (this.#totals.get(key)?.total ?? 0) + 1;
      this.#totals.set(key, { labels: { mountpoint, fstype }, total });
    }
    return changed;
  }

  /** Returns the counters of the mounts that ever became read-only. */
  toReadings(): Reading[] {
    return [...this.#totals.values()].map(({ labels, total }) => ({ series: readonlyRemounts, labels, value: total }));
  }
}

/** Identifies a mount of a file system: the kernel gives the id of a mount that has gone to another one. */
function toKey({ id, device, mountpoint }: Mount): string {
  return `${id} ${device} ${mountpoint}`;
}
