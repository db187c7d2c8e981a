import { describe, expect, test } from '@jest/globals';

import { ProcessCollector } from '../../../../collector/src/collectors/process.ts';
import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { MAX_PROCESSES } from '../../../../collector/src/collectors/readers/process-scan.ts';
import {
  createProcessFiles,
  createProcessKernel,
  runProcesses,
  type ProcessOfTest,
} from '../../../support/collector/process-files.ts';
import {
  createKernelError,
  indexByIdentity,
  readRecorded,
  TextKernel,
} from '../../../support/collector/text-kernel.ts';

const scrape = async (collector: ProcessCollector) => indexByIdentity(await collector.collect());
const read = async (names: readonly string[], ...processes: readonly ProcessOfTest[]) =>
  scrape(new ProcessCollector(createProcessKernel(...processes), names));
const failing = async (collector: ProcessCollector) => {
  const error = await collector.collect().catch((one: unknown) => one);
  return { error, readings: indexByIdentity(extractReadings(error)) };
};

describe('process collector: of all processes', () => {
  test('counts those in each state, and all threads', async () => {
    const states = ['S', 'R', 'D', 'D', 'T', 't', 'Z', 'I', 'P'];
    const processes = states.map((state, index) => ({ pid: 10 + index, state, comm: 'x' }));
    const readings = await read(['absent'], ...processes);
    expect(readings).toEqual({
      'system.threads': 80,
      'system.processes{state=sleeping}': 2,
      'system.processes{state=running}': 1,
      'system.processes{state=disk_sleep}': 2,
      'system.processes{state=stopped}': 1,
      'system.processes{state=tracing_stop}': 1,
      'system.processes{state=zombie}': 1,
      'system.processes{state=idle}': 1,
      'system.processes{state=other}': 1,
      'processes.count{process=absent}': 0,
      'processes.starts_total{process=absent}': 0,
      'processes.cpu_seconds_total{process=absent}': 0,
    });
  });

  test('leaves out one that ends between the listing and the reading', async () => {
    const kernel = createProcessKernel({ pid: 10 }, { pid: 11 });
    kernel.errors.set('proc/10/stat', createKernelError('/proc/10/stat', 'ESRCH'));
    const readings = await scrape(new ProcessCollector(kernel, ['encoder']));
    expect(readings).toMatchObject({ 'system.processes{state=sleeping}': 2, 'processes.count{process=encoder}': 1 });
  });

  test.each([
    ['not listed', (kernel: TextKernel) => kernel.files.delete('proc/1/stat')],
    [
      'not readable',
      (kernel: TextKernel) => kernel.errors.set('proc/1/stat', createKernelError('/proc/1/stat', 'EPERM')),
    ],
  ])('says what hides them if the first process is %s, and counts none', async (_, hide) => {
    const kernel = createProcessKernel({ pid: 10 });
    for (const file of kernel.files.keys()) if (/^proc\/1\/(?!stat$)/.test(file)) kernel.files.delete(file);
    hide(kernel);
    const { error, readings } = await failing(new ProcessCollector(kernel, ['encoder']));
    expect(error).toMatchObject({
      code: 'KERNEL_FILE_UNREADABLE',
      message: expect.stringMatching(/^cannot see the processes of other users: .*install the drop-in processes.conf/),
      hint: expect.stringContaining('/usr/share/doc/thugshells/examples/processes.conf'),
    });
    expect(readings).toEqual({ 'system.threads': 80 });
  });

  test('is absent if no process is named', async () => {
    await expect(new ProcessCollector(createProcessKernel(), []).collect()).rejects.toMatchObject({
      code: 'KERNEL_FILE_ABSENT',
    });
  });

  test('refuses by name a state that is malformed, and counts none', async () => {
    const kernel = createProcessKernel({ pid: 10 });
    kernel.files.set('proc/10/stat', '10 (encoder) S 1 1\n');
    const { error, readings } = await failing(new ProcessCollector(kernel, ['encoder']));
    expect((error as Error).message).toMatch(/^cannot parse \/proc\/10\/stat: line 1: 2 numbers/);
    expect(readings).toEqual({ 'system.threads': 80 });
  });
});

describe('process collector: of a name', () => {
  test('adds up what its processes use', async () => {
    const readings = await read(
      ['encoder'],
      { pid: 10, threads: 3, residentKb: 100, files: 4 },
      { pid: 11, threads: 2, residentKb: 50, files: 1 },
      { pid: 12, comm: 'other' },
    );
    expect(readings).toMatchObject({
      'processes.count{process=encoder}': 2,
      'processes.threads{process=encoder}': 5,
      'processes.resident_bytes{process=encoder}': 150 * 1024,
      'processes.open_files{process=encoder}': 5,
    });
  });

  test('has no count of descriptors if those of one process may not be read, and no failure', async () => {
    const kernel = createProcessKernel({ pid: 10 }, { pid: 11 });
    kernel.errors.set('proc/11/fd/', createKernelError('/proc/11/fd', 'EACCES'));
    const readings = await scrape(new ProcessCollector(kernel, ['encoder']));
    expect(readings).toMatchObject({ 'processes.count{process=encoder}': 2, 'processes.threads{process=encoder}': 2 });
    expect(readings).not.toHaveProperty(['processes.open_files{process=encoder}']);
  });

  test.each(['status', 'fd/0'])('leaves out a process that ends before its %s is read', async (file) => {
    const kernel = createProcessKernel({ pid: 10 }, { pid: 11, threads: 7 });
    kernel.files.delete(`proc/10/${file}`);
    const readings = await scrape(new ProcessCollector(kernel, ['encoder']));
    expect(readings).toMatchObject({ 'processes.count{process=encoder}': 1, 'processes.threads{process=encoder}': 7 });
  });

  test('does not count a zombie, but a process whose first thread has ended', async () => {
    const readings = await read(
      ['encoder'],
      { pid: 10, state: 'Z', command: '' },
      { pid: 11, state: 'Z', threads: 3, command: '' },
    );
    expect(readings).toMatchObject({ 'processes.count{process=encoder}': 1, 'system.processes{state=zombie}': 2 });
  });

  test('is left out beside the others if a file of one of its processes is malformed', async () => {
    const kernel = createProcessKernel({ pid: 10 }, { pid: 11 }, { pid: 12, comm: 'node' });
    kernel.files.set('proc/11/status', 'Name:\tencoder\nVmRSS:\t12 MB\nThreads:\t1\n');
    const { error, readings } = await failing(new ProcessCollector(kernel, ['encoder', 'node']));
    expect((error as Error).message).toMatch(/^cannot parse \/proc\/11\/status: .* is not an amount in kB/);
    expect(readings).toMatchObject({ 'processes.count{process=node}': 1, 'system.processes{state=sleeping}': 4 });
    expect(readings).not.toHaveProperty(['processes.count{process=encoder}']);
  });

  test('a thread of the kernel has no memory of its own', async () => {
    const kernel = createProcessKernel({ pid: 10, comm: 'kswapd0', command: '' });
    kernel.files.set('proc/10/status', 'Name:\tkswapd0\nThreads:\t1\n');
    expect(await scrape(new ProcessCollector(kernel, ['kswapd0']))).toMatchObject({
      'processes.resident_bytes{process=kswapd0}': 0,
    });
  });
});

describe('process collector: more processes than are read', () => {
  test('costs the states, and not what was known of a name; the event loop runs meanwhile', async () => {
    const kernel = createProcessKernel({ pid: 900_000, ticks: 5 });
    const collector = new ProcessCollector(kernel, ['encoder', 'late']);
    await collector.collect();
    const stat = createProcessFiles({ pid: 1, comm: 'bomb' })['proc/1/stat']!;
    kernel.procEntries = async () =>
      Array.from({ length: 2 * MAX_PROCESSES }, (_, index) => `${index + 1}`).concat('900000');
    const proc = kernel.proc.bind(kernel);
    let reads = 0;
    kernel.proc = async (path) => {
      reads += 1;
      if (path.startsWith('900000/') || !/^[0-9]/.test(path)) return proc(path);
      return path.endsWith('stat') ? stat.replace(/^1/, path.split('/')[0]!) : '';
    };
    let turns = 0;
    let isRunning = true;
    const watch = () => isRunning && setImmediate(() => ((turns += 1), watch()));
    watch();
    const { error, readings } = await failing(collector);
    isRunning = false;
    expect(error).toMatchObject({
      message: expect.stringMatching(/^cannot count the states of 20001 processes: 10000 are read at each scrape/),
    });
    expect(readings).toEqual({
      'system.threads': 80,
      'processes.cpu_seconds_total{process=encoder}': 0,
      'processes.starts_total{process=encoder}': 0,
      'processes.count{process=encoder}': 1,
      'processes.threads{process=encoder}': 1,
      'processes.resident_bytes{process=encoder}': 102_400,
      'processes.open_files{process=encoder}': 1,
      'processes.cpu_seconds_total{process=late}': 0,
      'processes.starts_total{process=late}': 0,
    });
    expect(reads).toBeLessThan(2 * MAX_PROCESSES + 10);
    expect(turns).toBeGreaterThan(MAX_PROCESSES / 200);
  });

  test('have nothing of what one used that is read when there are fewer again: it may be old', async () => {
    const kernel = createProcessKernel();
    const collector = new ProcessCollector(kernel, ['encoder']);
    const list = kernel.procEntries.bind(kernel);
    kernel.procEntries = async () => Array.from({ length: MAX_PROCESSES + 1 }, (_, index) => `${index + 1}`);
    await failing(collector);
    kernel.procEntries = list;
    runProcesses(kernel, { pid: 900_000, ticks: 60_000 });
    expect(await scrape(collector)).toMatchObject({ 'processes.cpu_seconds_total{process=encoder}': 0 });
  });
});

test('process collector: reads the recorded processes of a Raspberry Pi', async () => {
  const paths = ['1', '713', '901'].flatMap((pid) =>
    ['stat', 'status', 'cmdline', 'fd/0'].map((file) => `proc/${pid}/${file}`),
  );
  const kernel = new TextKernel(
    Object.fromEntries(['proc/loadavg', ...paths].map((path) => [path, readRecorded(path, 'raspberry-pi-4')])),
  );
  const readings = await scrape(new ProcessCollector(kernel, ['node', 'gst-launch-1.0-camera']));
  expect(readings).toMatchObject({
    'processes.threads{process=node}': 11,
    'processes.resident_bytes{process=gst-launch-1.0-camera}': 131_072 * 1024,
  });
});
