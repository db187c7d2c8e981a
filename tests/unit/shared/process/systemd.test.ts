import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

import { describe, expect, test } from '@jest/globals';
import { createNotifier } from '@thugshells/shared/process/systemd.ts';

import { DatagramReceiver } from '../../../support/datagram-receiver.ts';
import { until } from '../../../support/until.ts';
import { RecordedLog } from '../../../support/recorded-log.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();

/** A socket as systemd has one; `received` returns what has arrived. */
function listen(): { readonly path: string; readonly received: () => readonly string[] } {
  const path = folder.path('notify');
  const receiver = new DatagramReceiver(path);
  folder.keep(receiver);
  const received: string[] = [];
  return { path, received: () => (received.push(...receiver.readAll()), received) };
}

test('systemd: each report is one datagram in the words of sd_notify', () => {
  const { path, received } = listen();
  const log = new RecordedLog();
  const notify = createNotifier({ NOTIFY_SOCKET: path }, log);
  notify({ ready: true, status: 'collecting' });
  notify({ watchdog: true });
  notify({ extendTimeoutMs: 90_000.5 });
  notify({ stopping: true, status: 'two\n  lines' });
  expect(received()).toEqual([
    'READY=1\nSTATUS=collecting',
    'WATCHDOG=1',
    'EXTEND_TIMEOUT_USEC=90000500',
    'STOPPING=1\nSTATUS=two lines',
  ]);
  expect(log.lines).toEqual([]);
});

test('systemd: nothing is sent or logged without NOTIFY_SOCKET', () => {
  const log = new RecordedLog();
  for (const environment of [{}, { NOTIFY_SOCKET: '' }]) createNotifier(environment, log)({ ready: true });
  expect(log.lines).toEqual([]);
});

test('systemd: an address without a listener is one warning, and the first success after it is logged', () => {
  const log = new RecordedLog();
  const notify = createNotifier({ NOTIFY_SOCKET: folder.path('notify') }, log);
  for (let each = 0; each < 3; each++) notify({ watchdog: true });
  expect(log.said('warn', 'error', 'info')).toEqual(['warn: cannot notify systemd']);
  const { received } = listen();
  for (let each = 0; each < 2; each++) notify({ watchdog: true });
  expect(log.said('warn', 'error', 'info')).toEqual([
    'warn: cannot notify systemd',
    'info: systemd notification recovered',
  ]);
  expect(received()).toHaveLength(2);
});

describe('systemd: in another process', () => {
  /** Receives at `address`; waits before it reads. */
  async function reader(address: string, { count, waitMs }: { readonly count: number; readonly waitMs: number }) {
    const args = [
      join(import.meta.dirname, '../../../support/datagram-receiver.ts'),
      address,
      String(count),
      String(waitMs),
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines: string[] = [];
    createInterface(child.stdout).on('line', (line) => lines.push(line));
    await until('it listens', () => lines[0] === 'bound');
    const ended = once(child, 'close');
    return { lines, ended };
  }

  test('an abstract address is reached too', async () => {
    const address = `@thugshells-test-${process.pid}`;
    const { lines, ended } = await reader(address, { count: 1, waitMs: 0 });
    const log = new RecordedLog();
    createNotifier({ NOTIFY_SOCKET: address }, log)({ ready: true, status: 'collecting' });
    await ended;
    expect(lines).toEqual(['bound', 'READY=1|STATUS=collecting']);
    expect(log.lines).toEqual([]);
  });

  test('more datagrams than the queue of the socket holds are sent when it is read, and not lost', async () => {
    const path = folder.path('notify');
    // The kernel queues net.unix.max_dgram_qlen datagrams: 10 by default, 512 where a distribution says so.
    const { lines, ended } = await reader(path, { count: 600, waitMs: 300 });
    const log = new RecordedLog();
    const notify = createNotifier({ NOTIFY_SOCKET: path }, log);
    for (let each = 0; each < 600; each++) notify({ status: String(each) });
    await ended;
    expect(lines.slice(1)).toEqual(Array.from({ length: 600 }, (_, each) => `STATUS=${each}`));
    expect(log.lines).toEqual([]);
  });

  test('a process that has reported something ends by itself', async () => {
    const { path, received } = listen();
    const module = pathToFileURL(join(import.meta.dirname, '../../../../shared/src/process/systemd.ts')).href;
    const script = `const { createNotifier } = await import('${module}'); createNotifier(process.env, console)({ ready: true });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, NOTIFY_SOCKET: path },
      stdio: 'inherit',
    });
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(received()).toEqual(['READY=1']);
  });
});
