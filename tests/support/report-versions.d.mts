/** Returns a document with these versions in a column of its table; the other column is left as it is. */
export function withVersions(
  text: string,
  column: 'today' | 'debian',
  versions: Readonly<Record<string, string>>,
): string;
