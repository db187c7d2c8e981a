/** Something with a name, and marks by which it differs from others of the same name. */
export interface NamedThing {
  readonly name: string;
  /** What stays over boots, the one to use first comes first; each thing of a list has as many. Empty if not known. */
  readonly marks: readonly string[];
  /** Numbered by the kernel as it found it: another one may have the number at the next boot. */
  readonly directory: string;
}

/**
 * Creates a name for each of several things. A name that only one has stays as it is. Of several with one name, each gets
 * in brackets the first mark by which they differ, and further ones until no two are the same:
 * `nvme Composite (0000:03:00.0)`. None keeps the plain name then: which one would depend on which was found first. Those
 * without such a mark have nothing better than that: all but the first get their directory's name.
 */
export function createUniqueNames(things: readonly NamedThing[]): string[] {
  const named = things.map((thing) => ({ ...thing, chosen: [] as string[] }));
  const levels = Math.max(0, ...things.map(({ marks }) => marks.length));
  for (let level = 0; level < levels; level += 1) {
    const alike = new Map<string, typeof named>();
    for (const thing of named) {
      const name = addMarks(thing.name, thing.chosen);
      alike.set(name, [...(alike.get(name) ?? []), thing]);
    }
    for (const group of alike.values()) {
      if (new Set(group.map(({ marks }) => marks[level])).size === 1) continue;
      for (const { marks, chosen } of group) chosen.push(marks[level] ?? '');
    }
  }
  const taken = new Set<string>();
  return named.map(({ name, chosen, directory }) => {
    const lasting = addMarks(name, chosen);
    const unique = taken.has(lasting) ? addMarks(name, [...chosen, directory]) : lasting;
    taken.add(unique);
    return unique;
  });
}

function addMarks(name: string, marks: readonly string[]): string {
  const known = marks.filter((mark) => mark !== '');
  return known.length === 0 ? name : `${name} (${known.join(' ')})`;
}
