import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';
import { exportedName } from '@thugshells/shared/metrics/series.ts';

import { OWN_NAMES } from '../../../../collector/src/store/writing/agent-names.ts';

import { CorruptibleDevice } from '../../../support/collector/corrupt-kernel-files.ts';

/** docs/collectors.md against what the collectors read of a board that has something for every source. */

const folder = mkdtempSync(join(tmpdir(), 'series-document-'));
afterAll(() => rmSync(folder, { recursive: true }));
const document = readFileSync(join(import.meta.dirname, '../../../../docs/collectors.md'), 'utf8');
const rows = document
  .split('\n')
  .filter((line) => /^\| [`a-z|]/.test(line))
  .map((line) => line.split(' | '));

/** Texts are exported as info; a mount that hangs, the program's version and the cap's counter are not on the board. */
const NOT_ON_THE_BOARD = [
  'filesystem.unreadable',
  'collector.build',
  'collector.series_dropped_total',
  'collector.metrics_failed_total',
];
const TEXTS = ['system.boot_id', 'system.kernel', 'collector.build'];

async function seriesOfTheBoard(): Promise<string[]> {
  const read = await new CorruptibleDevice(folder).read();
  const names = Object.values(read).flatMap(({ readings }) =>
    Object.keys(readings).map((identity) => identity.replace(/\{.*/s, '')),
  );
  return [...new Set(names)].sort();
}

/** `disk.{read,write}_ops_total` stands for two. */
function spelledOut(name: string): string[] {
  const [, before = '', choices = '', after = ''] = /^(.*?)\{([a-z]+(?:,[a-z]+)+)\}(.+)$/.exec(name) ?? [];
  return choices === ''
    ? [name.replace(/\{.*/, '')]
    : choices.split(',').flatMap((choice) => spelledOut(before + choice + after));
}

test('every series that is read, or stands in the table, is kept from others as our own', async () => {
  const documented = rows
    .filter((row) => row.length === 3 && !row[0]?.includes('node_'))
    .flatMap(([, series = '']) => series.match(/`[a-z]+\.[^`]*`/g) ?? []);
  const names = [
    ...(await seriesOfTheBoard()),
    ...documented.flatMap((name) => spelledOut(name.slice(1, -1))),
    ...NOT_ON_THE_BOARD,
  ];
  expect(names.filter((name) => !OWN_NAMES.includes(name))).toEqual([]);
  expect(new Set(OWN_NAMES).size).toBe(OWN_NAMES.length);
});

test('every series that is read stands in the table of collectors, and every one that stands there is read', async () => {
  const inTable = rows
    .filter((row) => row.length === 3 && !row[0]?.includes('node_'))
    .flatMap(([, series = '']) => series.match(/`[a-z]+\.[^`]*`/g) ?? []);
  const documented = [...new Set(inTable.flatMap((name) => spelledOut(name.slice(1, -1))))].filter(
    (name) => !NOT_ON_THE_BOARD.includes(name),
  );
  expect(documented.sort()).toEqual(await seriesOfTheBoard());
});

test('thirty series of node_exporter have an equal that is read, and its differences', async () => {
  const table = rows.filter(([node]) => node?.startsWith('| `node_'));
  expect(table).toHaveLength(30);
  const exported = new Set(
    [...(await seriesOfTheBoard()), ...NOT_ON_THE_BOARD].map((name) =>
      TEXTS.includes(name) ? `${exportedName(name)}_info` : exportedName(name),
    ),
  );
  for (const [node, equal = '', differences = ''] of table) {
    const named = equal.match(/[a-z]+(?:_[a-z0-9]+)+/g) ?? [];
    expect([node, named.length > 0, named.filter((name) => !exported.has(name))]).toEqual([node, true, []]);
    expect(differences.replace(' |', '')).not.toBe('');
  }
});
