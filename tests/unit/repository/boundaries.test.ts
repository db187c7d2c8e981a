import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What the linter's boundaries say of each text as if it stood in its file. */
function complaintsAbout(texts: readonly { readonly file: string; readonly text: string }[]): string[] {
  const script = ['tests/support/lint-texts.mjs'];
  const { stdout, stderr } = spawnSync(process.execPath, script, {
    cwd: root,
    input: JSON.stringify(texts),
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as string[][]).map((messages) => messages.join('\n'));
}

describe('the linter refuses', () => {
  const cases: [boundary: string, file: string, text: string, complaint: RegExp][] = [
    [
      'the uploader in the collector',
      'collector/src/commands/once.ts',
      `import '@thugshells/uploader/src/backlog.ts';`,
      /never each other/,
    ],
    [
      'the uploader in the collector by path',
      'collector/src/commands/once.ts',
      `import '../../../uploader/src/queue/backlog.ts';`,
      /never each other/,
    ],
    [
      'the collector in the uploader',
      'uploader/src/queue/backlog.ts',
      `import '../../../collector/src/commands/once.ts';`,
      /never each other/,
    ],
    [
      'a program in shared',
      'shared/src/metrics/sample.ts',
      `import '../../../collector/src/commands/once.ts';`,
      /shared imports neither/,
    ],
    ['main anywhere', 'collector/src/commands/once.ts', `import '../main.ts';`, /nobody imports it/],
    [
      'process outside main, lifecycle and config',
      'collector/src/commands/once.ts',
      `export const all = process.env;`,
      /only main, lifecycle and config/,
    ],
    [
      'a clock in a collector',
      'collector/src/collectors/cpu.ts',
      `import '@thugshells/shared/clock.ts';`,
      /collectors know/,
    ],
    [
      'the database in a collector',
      'collector/src/collectors/cpu.ts',
      `import '@thugshells/shared/database/open.ts';`,
      /collectors know/,
    ],
    [
      'the scheduler in a collector',
      'collector/src/collectors/cpu.ts',
      `import '../scheduling/scheduler.ts';`,
      /imports go one way/,
    ],
    [
      'the store in an input',
      'collector/src/inputs/self.ts',
      `import '../store/status/storage-state.ts';`,
      /imports go one way/,
    ],
    [
      'delivery in the transport',
      'uploader/src/transport/transport.ts',
      `import '../delivery/upload-loop.ts';`,
      /imports go one way/,
    ],
    [
      'the command line in shared configuration',
      'shared/src/config/formats.ts',
      `import '../process/command-line.ts';`,
      /imports go one way/,
    ],
    ['a cycle of imports', 'uploader/src/queue/pending-rows-version.ts', `import './settled-ranges.ts';`, /cycle/],
    [
      'the file system in a collector',
      'collector/src/collectors/cpu.ts',
      `import 'node:fs';`,
      /only adapter of the kernel/,
    ],
    ['a network in the collector', 'collector/src/commands/once.ts', `import 'node:http';`, /one client of a network/],
    ['got outside its adapter', 'uploader/src/clock/receiver-clock.ts', `import 'got';`, /the one adapter of got/],
    [
      'better-sqlite3 outside its adapter',
      'uploader/src/queue/settled-ranges.ts',
      `import 'better-sqlite3';`,
      /the one adapter of better-sqlite3/,
    ],
    [
      'winston outside its adapter',
      'shared/src/config/load-config.ts',
      `import 'winston';`,
      /the one adapter of winston/,
    ],
    [
      'piscina in the encode worker',
      'uploader/src/encoding/encode-worker.ts',
      `import 'piscina';`,
      /the one adapter of piscina/,
    ],
    [
      'a module with state in the encode worker',
      'uploader/src/encoding/encode-worker.ts',
      `import '../queue/settled-ranges.ts';`,
      /pure modules/,
    ],
    [
      'SQL outside its modules',
      'uploader/src/delivery/upload-loop.ts',
      `export const sql = 'SELECT 1 FROM samples';`,
      /SQL belongs/,
    ],
    [
      'JSON of the database outside the boundary of stored values',
      'uploader/src/queue/acknowledgements.ts',
      `export const ranges: unknown = JSON.parse('[]');`,
      /stored JSON is parsed by/,
    ],
    [
      'a stored time formatted where it may be none',
      'uploader/src/health/rules.ts',
      `export const since = new Date(0).toISOString();`,
      /formatTime/,
    ],
  ];

  const complaints = complaintsAbout(cases.map(([, file, text]) => ({ file, text: `${text}\n` })));

  test.each(cases.map(([boundary, , , expected], index) => ({ boundary, expected, complaint: complaints[index] })))(
    '$boundary',
    ({ expected, complaint }) => {
      expect(complaint).toMatch(expected);
    },
  );
});

test('the linter lets each library in its own adapter', () => {
  const complaints = complaintsAbout([
    { file: 'uploader/src/transport/http-client.ts', text: `import 'got';\n` },
    { file: 'collector/src/inputs/scrape-client.ts', text: `import 'node:http';\n` },
    { file: 'uploader/src/encoding/encoder-pool.ts', text: `import 'piscina';\n` },
    { file: 'shared/src/database/open.ts', text: `import 'better-sqlite3';\n` },
    { file: 'shared/src/config/load-config.ts', text: `import 'convict';\nexport const all = process.env;\n` },
    {
      file: 'collector/src/collectors/cpu.ts',
      text: `import '../kernel/kernel-files.ts';\nimport './parsing/kernel-text.ts';\n`,
    },
  ]);
  expect(complaints.join('')).toBe('');
});
