import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { Terminal } from '../support/terminal.ts';

const COLLECTOR = fileURLToPath(new URL('../../collector/dist/main.js', import.meta.url));

let folder: string;
let terminal: Terminal | undefined;

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'logs-'))));
afterEach(async () => {
  await terminal?.close();
  rmSync(folder, { recursive: true });
});

/** Runs the collector on a terminal until it has logged something; returns its first line after it has ended by Ctrl-C. */
async function readFirstLine(environment: Readonly<Record<string, string>>): Promise<string> {
  const database = { THUGSHELLS_DB_PATH: join(folder, 'metrics.db') };
  terminal = new Terminal(`'${process.execPath}' '${COLLECTOR}'`, { ...database, ...environment });
  await terminal.shows(/collector started[^\n]*\n/);
  terminal.type('\u0003');
  expect(await terminal.ended).toBe(0);
  return terminal.text.split('\r\n')[0]!;
}

test('log on a terminal: has the local time, the level in its color, the message and dim names of fields', async () => {
  // Half an hour from every other zone's minutes, and a variable that a shell below systemd has.
  const line = await readFirstLine({ TZ: 'Asia/Kolkata', JOURNAL_STREAM: '8:12345' });
  const colored = /^ESC\[2m(\d\d:\d\d):\d\d\.\d{3}ESC\[22m ESC\[32mINFO ESC\[39m [a-z ]+ ESC\[2m\w+=ESC\[22m/;
  const [, shown] = colored.exec(line.replaceAll('\u001b', 'ESC')) ?? [];
  const there = [0, 60_000].map((ago) =>
    new Date(Date.now() - ago).toLocaleTimeString('en-GB', { timeZone: 'Asia/Kolkata', timeStyle: 'short' }),
  );
  expect(there).toContain(shown);
});

test('log on a terminal: has no colors if NO_COLOR is set, and is JSON if that is configured', async () => {
  expect(await readFirstLine({ NO_COLOR: '1' })).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}[a-z ]+ \w+=/);
  expect(await readFirstLine({ THUGSHELLS_LOG_FORMAT: 'json' })).toMatch(/^\{"time":".*"\}$/);
});
