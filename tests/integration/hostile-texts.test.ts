import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { AgentPair } from '../support/agent-pair.ts';
import { runToEnd } from '../support/agent-process.ts';
import { freePort } from '../support/free-port.ts';
import { readBooks } from '../support/stored-rows.ts';
import { useTemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const folder = useTemporaryFolder();
/** Clears the screen in three ways, sets the title, turns the direction of writing, and begins a line of its own. */
const EVIL = '\x1b[2J\x9b2J\x1bc\x1b]0;owned\x07\u202e\u200b\nerror: all lost\r';
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
let pair: AgentPair;
let server: Server;
let answer: Buffer;

beforeEach(async () => {
  const directory = folder.path(`text\x1b[2Jfiles`);
  mkdirSync(directory);
  writeFileSync(join(directory, 'a\x1b[31m\nb.prom'), `{"${EVIL.replaceAll('\n', ' ')}"} nothing\n`);
  writeFileSync(join(directory, 'c.prom'), `fine{a="${EVIL.replace('\n', '\\n')}"} 1\n`);
  writeFileSync(join(directory, 'd.prom'), `{"${'long'.repeat(500_000)}"} nothing\n`);
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.end(answer));
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  pair = new AgentPair({
    ...{ TEXTFILE_DIR: directory, DEVICE_ID: `b1\x1b[2J`, REMOTE_URL: `http://127.0.0.1:${port}/import` },
    ...{ CLOCK_SKEW_INTERVAL: '1h', LOG_LEVEL: 'debug' },
  });
});

afterEach(async () => {
  await pair.remove();
  await new Promise((resolve) => server.close(resolve));
});

/** Lets the uploader get an answer until it reports that it is held up; returns its lines. */
async function upload(logFormat: string): Promise<string[]> {
  const hostile = new AgentPair({
    ...Object.fromEntries(
      Object.entries(pair.environment).map(([name, value]) => [name.replace('THUGSHELLS_', ''), value]),
    ),
    LOG_FORMAT: logFormat,
  });
  try {
    const collector = hostile.start('collector');
    const uploader = hostile.start('uploader');
    await until('rows are stored', () => readBooks(pair.database).collected > 0);
    await until('it is logged', () => uploader.lines.some((line) => line.includes('HTTP')));
    await until('the files are named', () => collector.lines.some((line) => line.includes('cannot parse')));
    // The first line with HTTP may be of the request for the time, before any upload.
    let status = await runToEnd('uploader', pair.environment, ['status']);
    while (!status.stdout.includes('HTTP')) status = await runToEnd('uploader', pair.environment, ['status']);
    const json = await runToEnd('uploader', pair.environment, ['status', '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ device_id: 'b1\x1b[2J' });
    return [...collector.lines, ...uploader.lines, ...`${status.stdout}\n${json.stdout}`.split('\n')];
  } finally {
    await hostile.remove();
  }
}

test.each([
  ['json', `HTTP/1.1 302 Found\r\nLocation: http://x/${'\x9b2J'.repeat(4_000)}\r\nContent-Length: 0\r\n\r\n`],
  ['console', `HTTP/1.1 500 Oh\r\nContent-Length: 12000\r\n\r\n${EVIL.padEnd(12_000, 'x')}`],
])('texts of a receiver and of files stand in the log (%s) and in status escaped and cut', async (format, response) => {
  answer = Buffer.from(response, 'latin1');
  const lines = await upload(format);
  expect(lines.filter((line) => UNPRINTABLE.test(line))).toEqual([]);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(6_000);
  expect(lines.filter((line) => line.startsWith('error: all lost'))).toEqual([]);
});

test('texts of files stand escaped in what the commands print', async () => {
  const once = await runToEnd('collector', pair.environment, ['once']);
  expect(once.code).toBe(1);
  const check = await runToEnd('collector', pair.environment, ['check-config']);
  expect(check.stdout).toContain('THUGSHELLS_DEVICE_ID=b1\\u001b[2J');
  const misspelled = await runToEnd('uploader', pair.environment, [`sta${EVIL}tus`]);
  expect(misspelled.code).toBe(2);
  const lines = [once, check, misspelled].flatMap(({ stdout, stderr }) => `${stdout}\n${stderr}`.split('\n'));
  expect(lines.filter((line) => UNPRINTABLE.test(line))).toEqual([]);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(6_000);
  const sample = once.stdout.split('\n').find((line) => line.includes('"fine"'))!;
  expect((JSON.parse(sample) as { metric: object }).metric).toMatchObject({ a: EVIL });
});
