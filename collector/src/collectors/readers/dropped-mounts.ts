/** Why a mount is left out, and what to do about it. */
export const DROP_REASONS = {
  forbidden:
    "the collector's user may not enter a folder above it; exclude it with FILESYSTEM_EXCLUDE, or let the user in",
  notUtf8: 'its name is not UTF-8; mount it by another name, or exclude it with FILESYSTEM_EXCLUDE',
} as const;
export type DropReason = keyof typeof DROP_REASONS;

/** Remembers the mounts that are left out, and counts each once: again only if it was reported or gone in between. */
export class DroppedMounts {
  #current: ReadonlyMap<string, DropReason> = new Map();
  #total = 0;
  #notice: string | undefined;

  /** How often a mount began to be left out. */
  get total(): number {
    return this.#total;
  }

  /** What was left out first and why, as a sentence for the log; undefined while nothing was. */
  get notice(): string | undefined {
    return this.#notice;
  }

  /** Takes the mounts that this scrape leaves out, by mountpoint. */
  update(mounts: ReadonlyMap<string, DropReason>): void {
    for (const mountpoint of mounts.keys()) if (!this.#current.has(mountpoint)) this.#total += 1;
    this.#current = mounts;
    const [first] = mounts;
    if (this.#notice !== undefined || first === undefined) return;
    const [mountpoint, reason] = first;
    const more = mounts.size > 1 ? ` and ${mounts.size - 1} more` : '';
    this.#notice = `${mountpoint}${more} not reported: ${DROP_REASONS[reason]}`;
  }
}
