/** Parses the tables of docs/collectors.md: the series of each collector, and their equals in node_exporter. */

/** Returns the cells of every row of a table, without headings. */
export function parseTableRows(document: string): string[][] {
  return document
    .split('\n')
    .filter((line) => /^\| [`a-z|]/.test(line))
    .map((line) => line.split(' | '));
}

/** Returns the documented series by collector: rows without a name in their first cell belong to the one above. */
export function parseCollectorTable(document: string): ReadonlyMap<string, readonly string[]> {
  const series = new Map<string, string[]>();
  let collector = '';
  for (const [name = '', cell = '', ...more] of parseTableRows(document)) {
    if (more.length !== 1 || name.includes('node_')) continue;
    collector = /^\| ([a-z]+)$/.exec(name)?.[1] ?? collector;
    const names = (cell.match(/`[a-z]+\.[^`]*`/g) ?? []).flatMap((quoted) => expandName(quoted.slice(1, -1)));
    series.set(collector, [...(series.get(collector) ?? []), ...names]);
  }
  return series;
}

/** `disk.{read,write}_ops_total` stands for two names; labels in braces at the end for none. */
function expandName(name: string): string[] {
  const [, before = '', choices = '', after = ''] = /^(.*?)\{([a-z]+(?:,[a-z]+)+)\}(.+)$/.exec(name) ?? [];
  if (choices === '') return [name.replace(/\{.*/, '')];
  return choices.split(',').flatMap((choice) => expandName(before + choice + after));
}
