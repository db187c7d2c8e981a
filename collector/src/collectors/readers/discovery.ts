/**
 * What was found in directories of sysfs. It is searched for again when the directories change, and once when a file of it
 * has gone that was there at the scrape before: not at every scrape, as some files are listed and never readable.
 */
export class Discovery<Found> {
  #directories: string | undefined;
  #found: Found | undefined;
  #goneBefore: ReadonlySet<string> = new Set();
  #gone = new Set<string>();

  /** Returns what was found; called once a scrape. `directories` is a text that changes with the directories. */
  async find(directories: string, search: () => Promise<Found>): Promise<Found> {
    const isNewlyGone = [...this.#gone].some((file) => !this.#goneBefore.has(file));
    this.#goneBefore = this.#gone;
    this.#gone = new Set();
    if (this.#found !== undefined && !isNewlyGone && directories === this.#directories) return this.#found;
    this.#found = await search();
    this.#directories = directories;
    return this.#found;
  }

  /** Notes that a file of what was found is absent. */
  noteAbsent(file: string): void {
    this.#gone.add(file);
  }
}
