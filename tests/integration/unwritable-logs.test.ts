import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as streamText } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { AgentPair } from '../support/agent-pair.ts';
import { builtHere, runToEnd, type LogLine } from '../support/agent-process.ts';
import { mountNamespace } from '../support/small-file-system.ts';
import { readBooks } from '../support/stored-rows.ts';
import { useTemporaryFolder } from '../support/temporary-folder.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

const folder = useTemporaryFolder();
const PROGRAMS = ['collector', 'uploader'] as const;
type Program = (typeof PROGRAMS)[number];
let pair: AgentPair;
let children: ChildProcess[];
let port: number;

beforeEach(async () => {
  children = [];
  port = await freePort();
  // Many lines: each scrape, and each upload that fails.
  const pace = { INTERVAL: '100ms', UPLOAD_INTERVAL: '200ms', RETRY_INITIAL: '20ms', LOG_LEVEL: 'debug' };
  pair = new AgentPair({ ...pace, HEALTH_PORT: String(port), REMOTE_URL: 'http://127.0.0.1:1/api/v1/import' });
});

afterEach(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await pair.remove();
});

const main = (program: Program): string => join(builtHere.folder, program, 'dist/main.js');
const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], ...pair.environment });

/** Starts a command line with a program's environment. */
function start(command: readonly string[], stdio: (number | 'pipe' | 'inherit')[]): ChildProcess {
  const child = spawn(command[0]!, command.slice(1), { env: environment(), stdio: ['ignore', ...stdio] });
  children.push(child);
  return child;
}

/** Waits until a program has worked for a while longer. */
async function seeWork(program: Program): Promise<void> {
  if (program === 'uploader') {
    const isLive = async () => (await fetch(`http://127.0.0.1:${port}/health/live`)).status === 200;
    await until('the uploader works', isLive);
    await delay(1_000);
    return until('the uploader goes on', isLive).then(() => undefined);
  }
  const before = await until('the collector works', () => readBooks(pair.database).collected || undefined);
  await until('the collector goes on', () => readBooks(pair.database).collected > before + 200);
}

async function terminate(child: ChildProcess): Promise<number | null> {
  expect([child.exitCode, child.signalCode]).toEqual([null, null]);
  const ended = once(child, 'exit') as Promise<[number | null]>;
  child.kill('SIGTERM');
  return (await ended)[0];
}

/** Checks that every line is whole, and returns those that report lost ones. */
function findLost(text: string): LogLine[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as LogLine).filter(({ msg }) => msg === 'log lines lost');
}

describe.each(PROGRAMS)('logs: the %s', (program) => {
  beforeEach(async () => {
    // The uploader needs a database.
    if (program === 'uploader') pair.start('collector');
  });

  test('goes on while its log and its errors go to a device without space', async () => {
    const full = openSync('/dev/full', 'w');
    const child = start([process.execPath, main(program)], [full, full]);
    closeSync(full);
    await seeWork(program);
    expect(await terminate(child)).toBe(0);
  });

  test('goes on when the reader of its log has read three lines and gone', async () => {
    const child = start([process.execPath, main(program)], ['pipe', 'pipe']);
    child.stdout!.once('data', () => {
      child.stdout!.destroy();
      child.stderr!.destroy();
    });
    await once(child.stdout!, 'close');
    await seeWork(program);
    expect(await terminate(child)).toBe(0);
  });

  test('goes on while the disk of its log is full, and reports how many lines were lost', async () => {
    const script = join(import.meta.dirname, '../support/full-disk.sh');
    const child = start(
      [...mountNamespace(), 'sh', script, folder.path(''), process.execPath, main(program)],
      ['pipe', 'inherit'],
    );
    const text = streamText(child.stdout!);
    await until('the disk is full', () => existsSync(folder.path('full')));
    await seeWork(program);
    writeFileSync(folder.path('free'), '');
    await seeWork(program);
    writeFileSync(folder.path('stop'), '');
    expect((await once(child, 'exit'))[0]).toBe(0);
    const lines = (await text).split('\n').slice(0, -1);
    // The line that the disk took in part has a line of its own.
    const whole = lines.filter((line) => line.endsWith('}'));
    expect(lines.length - whole.length).toBe(1);
    const [lost] = findLost(`${whole.join('\n')}\n`);
    expect(lost).toMatchObject({ level: 'warn', count: expect.any(Number), error: expect.stringContaining('ENOSPC') });
  });
});

test('logs: the collector goes on while the reader of its log has stopped, and reports how many lines were lost', async () => {
  execFileSync('mkfifo', [folder.path('fifo')]);
  // Opened for both, so that neither of the others waits.
  const [both, input, pipe] = [constants.O_RDWR, constants.O_RDONLY, constants.O_WRONLY].map((flags) =>
    openSync(folder.path('fifo'), flags),
  ) as [number, number, number];
  const file = openSync(folder.path('log'), 'w');
  const reader = spawn('cat', { stdio: [input, file, 'inherit'] });
  children.push(reader);
  const child = start([process.execPath, main('collector')], [pipe, 'pipe']);
  [both, input, pipe, file].forEach((descriptor) => closeSync(descriptor));
  await seeWork('collector');
  const readLog = (): string => readFileSync(folder.path('log'), 'utf8');
  await until('it has begun', () => readLog() !== '');
  reader.kill('SIGSTOP');
  // More than the pipe holds and the program keeps, at 80 lines a second.
  const before = readBooks(pair.database).collected;
  await until('much has been logged', () => readBooks(pair.database).collected > before + 30_000, 50_000);
  await seeWork('collector');
  reader.kill('SIGCONT');
  const [lost] = await until('lost lines are reported', () => {
    const found = findLost(readLog());
    return found.length > 0 ? found : undefined;
  });
  expect(lost).toMatchObject({ level: 'warn', count: expect.any(Number), error: expect.stringContaining('reader') });
  expect(await terminate(child)).toBe(0);
  reader.kill('SIGTERM');
  expect(readLog()).toContain('"msg":"stopped"');
});

test('logs: the collector goes on, and ends, while the terminal that it logs to is not read', async () => {
  const pidFile = folder.path('pid');
  const command = `echo $$ > ${pidFile}; exec ${process.execPath} ${main('collector')}`;
  // script(1) reads the terminal, and stops when nobody reads what it prints.
  const child = start(['script', '--quiet', '--return', '--command', command, '/dev/null'], ['pipe', 'inherit']);
  await seeWork('collector');
  const before = readBooks(pair.database).collected;
  await until('much has been logged', () => readBooks(pair.database).collected > before + 20_000, 50_000);
  await seeWork('collector');
  const pid = readFileSync(pidFile, 'utf8').trim();
  process.kill(Number(pid), 'SIGTERM');
  await until('it has ended', () => !existsSync(`/proc/${pid}/exe`) || isZombie(pid));
  child.stdout!.resume();
  expect((await once(child, 'exit'))[0]).toBe(0);
});

function isZombie(pid: string): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
}

describe('commands', () => {
  test('end quietly, with their own exit code, when nobody reads the rest of their output', async () => {
    for (const [program, command] of [
      ['collector', 'once'],
      ['collector', 'check-config'],
      ['uploader', '--help'],
    ] as const) {
      const child = start([process.execPath, main(program), command], ['pipe', 'pipe']);
      child.stdout!.destroy();
      const problems = streamText(child.stderr!);
      expect([(await once(child, 'exit'))[0], await problems]).toEqual([0, '']);
    }
    await pair.start('collector').stop();
    const whole = await runToEnd('uploader', pair.environment, ['status']);
    expect(whole.code).toBeGreaterThan(0);
    const status = start([process.execPath, main('uploader'), 'status'], ['pipe', 'pipe']);
    status.stdout!.destroy();
    expect((await once(status, 'exit'))[0]).toBe(whole.code);
  });

  test('name the error when their output cannot be written', async () => {
    const full = openSync('/dev/full', 'w');
    const child = start([process.execPath, main('collector'), 'check-config'], [full, 'pipe']);
    closeSync(full);
    const problems = streamText(child.stderr!);
    expect((await once(child, 'exit'))[0]).toBe(1);
    expect(await problems).toMatch(/^cannot write to standard output: ENOSPC.*\nhint: check the disk/);
  });
});
