import { describe, expect, test } from '@jest/globals';

import { ProcessCollector } from '../../../../collector/src/collectors/process.ts';
import { createProcessKernel, runProcesses, type ProcessOfTest } from '../../../support/collector/process-files.ts';
import { indexByIdentity } from '../../../support/collector/text-kernel.ts';

const scrape = async (collector: ProcessCollector) => indexByIdentity(await collector.collect());
const read = async (names: readonly string[], ...processes: readonly ProcessOfTest[]) =>
  scrape(new ProcessCollector(createProcessKernel(...processes), names));

describe('process collector: a process has a name', () => {
  test.each([
    ['that the kernel has of it', 'encoder', { comm: 'encoder', command: '' }],
    [
      'of its first argument, if it renamed its main thread',
      'node',
      { comm: 'MainThread', command: '/usr/bin/node\0main.js' },
    ],
    ['of a script', 'backup.sh', { comm: 'backup.sh', command: '/bin/sh\0/opt/backup.sh' }],
    [
      'that the kernel cuts',
      'gst-launch-1.0-camera',
      { comm: 'gst-launch-1.0-', command: '/opt/gst-launch-1.0-camera' },
    ],
    [
      'that the kernel cuts, with other arguments',
      'gst-launch-1.0-camera',
      { comm: 'gst-launch-1.0-', command: 'streaming' },
    ],
    [
      'that the kernel cuts in the middle of a character',
      'übertragung-länge',
      { comm: 'übertragung-l\\xc3', command: '' },
    ],
    ['with brackets', '(sd-pam)', { comm: '(sd-pam)', command: '(sd-pam)' }],
  ])('%s: %s', async (_, name, process) => {
    expect(await read([name], { pid: 10, ...process })).toMatchObject({ [`processes.count{process=${name}}`]: 1 });
  });

  test.each([
    ['whose name begins in the same way', 'encoder', { comm: 'encoder2' }],
    [
      'whose longer name is cut in the same way',
      'gst-launch-1.0-camera',
      { comm: 'gst-launch-1.0-', command: '/opt/gst-launch-1.0-audio' },
    ],
    [
      'whose name is longer than one of 15 bytes',
      'gst-launch-1.0-',
      { comm: 'gst-launch-1.0-', command: '/opt/gst-launch-1.0-audio' },
    ],
    ['that has it in another argument', 'encoder', { comm: 'vi', command: 'vi\0encoder' }],
  ])('and not one %s: %s', async (_, name, process) => {
    expect(await read([name], { pid: 10, ...process })).toMatchObject({ [`processes.count{process=${name}}`]: 0 });
  });

  test.each([
    ['another state', 'a) R 1 (x'],
    ['a newline', 'a\nb) Z 1'],
    ['bytes that are no UTF-8', 'a\\xff'],
    ['nothing', ''],
  ])('that may have %s in it', async (_, comm) => {
    const readings = await read(['encoder'], { pid: 10, comm, command: 'encoder' });
    expect(readings).toMatchObject({ 'system.processes{state=sleeping}': 2, 'processes.count{process=encoder}': 1 });
  });

  test('and is asked for its arguments once, and again after it has run another program', async () => {
    const kernel = createProcessKernel({ pid: 10, comm: 'sh' });
    const asked: string[] = [];
    const proc = kernel.proc.bind(kernel);
    kernel.proc = (path) => {
      if (path.endsWith('cmdline')) asked.push(path);
      return proc(path);
    };
    const collector = new ProcessCollector(kernel, ['encoder']);
    for (const comm of ['sh', 'sh', 'encoder', 'encoder']) {
      runProcesses(kernel, { pid: 10, comm });
      await collector.collect();
    }
    expect(asked).toEqual(['1/cmdline', '10/cmdline', '10/cmdline']);
  });

  test('of its own, if a process id is used again for another script of the same interpreter', async () => {
    const script = { pid: 10, comm: 'sh' };
    const kernel = createProcessKernel({ ...script, start: 50, command: '/opt/backup.sh' });
    const collector = new ProcessCollector(kernel, ['encoder.sh']);
    expect(await scrape(collector)).toMatchObject({ 'processes.count{process=encoder.sh}': 0 });
    runProcesses(kernel, { ...script, start: 90, command: '/opt/encoder.sh' });
    expect(await scrape(collector)).toMatchObject({ 'processes.count{process=encoder.sh}': 1 });
  });
});

describe('process collector: the counters of a name', () => {
  const CPU = 'processes.cpu_seconds_total{process=encoder}';
  const STARTS = 'processes.starts_total{process=encoder}';

  /** The counters after each scrape, of the processes that ran then. */
  async function count(...scrapes: (readonly ProcessOfTest[])[]) {
    const kernel = createProcessKernel();
    const collector = new ProcessCollector(kernel, ['encoder']);
    const counters: (number | string | undefined)[][] = [];
    for (const processes of scrapes) {
      runProcesses(kernel, ...processes);
      const readings = await scrape(collector);
      counters.push([readings[CPU], readings[STARTS]]);
    }
    return counters;
  }

  test('begin at 0, whatever its processes have used before', async () => {
    expect(await count([{ pid: 10, ticks: 900_000 }], [{ pid: 10, ticks: 900_150 }])).toEqual([
      [0, 0],
      [1.5, 0],
    ]);
  });

  test('do not fall when one of several processes ends', async () => {
    const one = { pid: 10, ticks: 1_000 };
    expect(
      await count([one, { pid: 11, ticks: 5_000 }], [{ ...one, ticks: 1_100 }], [{ ...one, ticks: 1_200 }], []),
    ).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [2, 0],
    ]);
  });

  test('have all that a new process used, which counts as a start', async () => {
    expect(await count([], [{ pid: 10, ticks: 70 }], [{ pid: 10, ticks: 80 }], [{ pid: 12, ticks: 5 }])).toEqual([
      [0, 0],
      [0.7, 1],
      [0.8, 1],
      [0.85, 2],
    ]);
  });

  test('take a process id that is used again for another process', async () => {
    expect(await count([{ pid: 10, start: 50, ticks: 400 }], [{ pid: 10, start: 90, ticks: 500 }])).toEqual([
      [0, 0],
      [5, 1],
    ]);
  });

  test('have nothing of what an old process used under another name', async () => {
    const shell = { pid: 10, comm: 'sh', ticks: 60_000 };
    expect(await count([shell, { pid: 20 }], [{ ...shell, comm: 'encoder', ticks: 60_100 }, { pid: 20 }])).toEqual([
      [0, 0],
      [0, 1],
    ]);
  });
});
