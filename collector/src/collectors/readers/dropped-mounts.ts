/** Remembers the mounts that are left out, and counts each once: again only if it was reported or gone in between. */
export class DroppedMounts {
  #current: ReadonlySet<string> = new Set();
  #total = 0;
  #first: readonly string[] = [];

  /** How often a mount began to be left out. */
  get total(): number {
    return this.#total;
  }

  /** The mounts that were left out first, for the log; empty while none was. */
  get first(): readonly string[] {
    return this.#first;
  }

  /** Takes the mountpoints that this scrape leaves out. */
  update(mountpoints: readonly string[]): void {
    this.#total += mountpoints.filter((mountpoint) => !this.#current.has(mountpoint)).length;
    if (this.#first.length === 0) this.#first = mountpoints;
    this.#current = new Set(mountpoints);
  }
}
