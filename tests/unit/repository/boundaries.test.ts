import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What the linter's walls say of each text as if it stood in its file. */
function complaintsAbout(texts: readonly { readonly file: string; readonly text: string }[]): string[] {
  const script = ['tests/support/lint-texts.mjs'];
  const { stdout, stderr } = spawnSync(process.execPath, script, { cwd: root, input: JSON.stringify(texts), encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as string[][]).map((messages) => messages.join('\n'));
}

describe('the linter refuses', () => {
  const cases: [wall: string, file: string, text: string, complaint: RegExp][] = [
    ['the uploader in the collector', 'collector/src/commands/once.ts', `import '@thugshells/uploader/src/backlog.ts';`, /never each other/],
    ['the uploader in the collector by path', 'collector/src/commands/once.ts', `import '../../../uploader/src/queue/backlog.ts';`, /never each other/],
    ['the collector in the uploader', 'uploader/src/queue/backlog.ts', `import '../../../collector/src/commands/once.ts';`, /never each other/],
    ['a program in shared', 'shared/src/metrics/sample.ts', `import '../../../collector/src/commands/once.ts';`, /shared imports neither/],
    ['main anywhere', 'collector/src/commands/once.ts', `import './main.ts';`, /nobody imports it/],
    ['process outside main, lifecycle and config', 'collector/src/commands/once.ts', `export const all = process.env;`, /main, lifecycle and config/],
    ['a clock in a collector', 'collector/src/collectors/cpu.ts', `import '@thugshells/shared/clock.ts';`, /collectors know/],
    ['the database in a collector', 'collector/src/collectors/cpu.ts', `import '@thugshells/shared/database/open.ts';`, /collectors know/],
    ['the scheduler in a collector', 'collector/src/collectors/cpu.ts', `import '../scheduler.ts';`, /collectors know/],
    ['the file system in a collector', 'collector/src/collectors/cpu.ts', `import 'node:fs';`, /only door to the kernel/],
    ['a network in the collector', 'collector/src/commands/once.ts', `import 'node:http';`, /one door to a network/],
    ['got outside its door', 'uploader/src/clock/receiver-clock.ts', `import 'got';`, /the one door to got/],
    ['better-sqlite3 outside its door', 'uploader/src/queue/settled-ranges.ts', `import 'better-sqlite3';`, /the one door to better-sqlite3/],
    ['winston outside its door', 'shared/src/config/load-config.ts', `import 'winston';`, /the one door to winston/],
    ['piscina in the encode worker', 'uploader/src/encoding/encode-worker.ts', `import 'piscina';`, /the one door to piscina/],
    ['a room with state in the encode worker', 'uploader/src/encoding/encode-worker.ts', `import './settled.ts';`, /pure modules/],
    ['SQL outside its rooms', 'uploader/src/delivery/upload-loop.ts', `export const sql = 'SELECT 1 FROM samples';`, /SQL stands in/],
  ];

  const complaints = complaintsAbout(cases.map(([, file, text]) => ({ file, text: `${text}\n` })));

  test.each(cases.map(([wall, , , expected], index) => ({ wall, expected, complaint: complaints[index] })))(
    '$wall',
    ({ expected, complaint }) => {
      expect(complaint).toMatch(expected);
    },
  );
});

test('the linter lets each library through its own door', () => {
  const complaints = complaintsAbout([
    { file: 'uploader/src/transport/http-transport.ts', text: `import 'got';\n` },
    { file: 'collector/src/inputs/scrape-client.ts', text: `import 'node:http';\n` },
    { file: 'uploader/src/encoding/encoder-pool.ts', text: `import 'piscina';\n` },
    { file: 'shared/src/database/open.ts', text: `import 'better-sqlite3';\n` },
    { file: 'shared/src/config/load-config.ts', text: `import 'convict';\nexport const all = process.env;\n` },
    { file: 'collector/src/collectors/cpu.ts', text: `import '../kernel-files.ts';\nimport './kernel-text.ts';\n` },
  ]);
  expect(complaints.join('')).toBe('');
});
