import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';
import { toExportedName } from '@thugshells/shared/metrics/series.ts';

import { CorruptibleDevice } from '../../../support/collector/corrupt-kernel-files.ts';
import { parseTableRows } from '../../../support/collector/series-document.ts';

/** The comparison with node_exporter in docs/collectors.md; collector-steps.test.ts checks the table of collectors. */

const folder = mkdtempSync(join(tmpdir(), 'series-document-'));
afterAll(() => rmSync(folder, { recursive: true }));
const document = readFileSync(join(import.meta.dirname, '../../../../docs/collectors.md'), 'utf8');
const rows = parseTableRows(document);

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

test('thirty series of node_exporter have an equal that is read, and its differences', async () => {
  const table = rows.filter(([node]) => node?.startsWith('| `node_'));
  expect(table).toHaveLength(30);
  const exported = new Set(
    [...(await seriesOfTheBoard()), ...NOT_ON_THE_BOARD].map((name) =>
      TEXTS.includes(name) ? `${toExportedName(name)}_info` : toExportedName(name),
    ),
  );
  for (const [node, equal = '', differences = ''] of table) {
    const named = equal.match(/[a-z]+(?:_[a-z0-9]+)+/g) ?? [];
    expect([node, named.length > 0, named.filter((name) => !exported.has(name))]).toEqual([node, true, []]);
    expect(differences.replace(' |', '')).not.toBe('');
  }
});
