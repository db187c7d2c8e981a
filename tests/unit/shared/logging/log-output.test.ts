import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { LogOutput } from '../../../../shared/src/logging/log-output.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { until } from '../../../support/until.ts';

const folder = useTemporaryFolder();
const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
let reader: number;
let writer: number;

beforeEach(() => {
  execFileSync('mkfifo', [folder.path('pipe')]);
  openReader();
  writer = openSync(folder.path('pipe'), O_WRONLY | O_NONBLOCK);
});

afterEach(() => [reader, writer].forEach((descriptor) => closeSync(descriptor)));

function openReader(): void {
  reader = openSync(folder.path('pipe'), O_RDONLY | O_NONBLOCK);
}

/** Reads what is in the pipe. */
function readAll(): string {
  const part = Buffer.alloc(64 * 1024);
  let text = '';
  try {
    for (let bytes = -1; bytes !== 0; text += part.toString('utf8', 0, Math.max(0, bytes)))
      bytes = readSync(reader, part);
  } catch (error) {
    expect(error).toMatchObject({ code: 'EAGAIN' });
  }
  return text;
}

test('log output: lines that a device without space refuses are counted, and no error leaves it', () => {
  const descriptor = openSync('/dev/full', 'w');
  const output = new LogOutput({ descriptor });
  const reported: unknown[] = [];
  output.reportLostBy((lost) => {
    reported.push(lost);
    return 'lost\n';
  });
  const before = Date.now();
  for (let line = 0; line < 5; line++) output.write(`${line}\n`);
  closeSync(descriptor);
  expect(reported.map((lost) => (lost as { count: number }).count)).toEqual([1, 2, 3, 4]);
  expect(reported.at(-1)).toMatchObject({ error: expect.stringContaining('ENOSPC') });
  expect((reported.at(-1) as { sinceMs: number }).sinceMs).toBeGreaterThanOrEqual(before);
});

test('log output: lines for a reader that has gone are counted, and the count is written when there is one again', () => {
  const output = new LogOutput({ descriptor: writer });
  output.write('one\n');
  expect(readAll()).toBe('one\n');
  closeSync(reader);
  for (let line = 0; line < 7; line++) output.write('into the void\n');
  openReader();
  output.write('two\n');
  output.write('three\n');
  expect(readAll()).toBe('log lines lost: 7\ntwo\nthree\n');
});

test('log output: of lines for a reader that has stopped some are kept, the others counted, and none is cut', async () => {
  const output = new LogOutput({ descriptor: writer, maxPendingBytes: 20_000 });
  // A pipe takes a line of more than PIPE_BUF in part (pipe(7)).
  const toLength = (line: number): number => 5_000 + (line % 7);
  const total = 20_000;
  for (let line = 0; line < total; line++) output.write(`${line} ${'x'.repeat(toLength(line))}\n`);
  let text = '';
  await until('the count is written', () => (text += readAll()).includes('lost'));
  output.write('after\n');
  const lines = (text + readAll()).split('\n').slice(0, -1);
  const kept = lines.length - 2;
  expect(lines.slice(0, kept)).toEqual(
    Array.from({ length: kept }, (_, line) => `${line} ${'x'.repeat(toLength(line))}`),
  );
  expect(lines.slice(kept)).toEqual([`log lines lost: ${total - kept}`, 'after']);
  // What the pipe holds, and what is kept besides.
  expect(Buffer.byteLength(text)).toBeLessThan(65_536 + 20_000 + 6_000);
});

/** Reads until the output has written everything: one that still tried would write into whatever gets the descriptor next. */
async function readUntilDrained(output: LogOutput): Promise<string> {
  let text = '';
  for (let isDrained = false; !isDrained;) {
    const drained = output.drain().then(() => (isDrained = true));
    text += readAll();
    await drained;
    const rest = readAll();
    text += rest;
    isDrained &&= rest === '';
  }
  return text;
}

test('log output: drain() waits until a slow reader has read, and not for one that does not', async () => {
  const output = new LogOutput({ descriptor: writer });
  const write = (): void => {
    for (let line = 0; line < 1_500; line++) output.write(`${String(line).padStart(99)}\n`);
  };
  write();
  const startedAt = performance.now();
  await output.drain();
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  let text = '';
  let isDrained = false;
  void output.drain().then(() => (isDrained = true));
  await until('it is drained', () => {
    text += readAll();
    return isDrained;
  });
  expect(`${text}${readAll()}`.split('\n').filter((line) => line !== '')).toHaveLength(1_500);
  write();
  expect(await readUntilDrained(output)).toContain('1499\n');
});
