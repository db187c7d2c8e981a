import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';

import { KernelFiles } from '../../collector/src/kernel-files.ts';
import { AgentProcess, runToEnd } from '../support/agent-process.ts';
import { until } from '../support/until.ts';

/**
 * A mount whose server never answers: FUSE, with this process as the server, which reads no request. Where this process
 * may not mount one, the rules that keep it from stalling anything are still tested, by the tests of MountSpace.
 */

const prefix = join(tmpdir(), 'hung-mount-');
const folder = mkdtempSync(prefix);
const mountpoint = join(folder, 'nas');
const fuse = mountHung();

afterAll(() => {
  if (fuse !== undefined) {
    spawnSync('umount', ['-l', mountpoint]);
    closeSync(fuse);
  }
  rmSync(folder, { recursive: true });
});

/** What another run of this test on the same machine has mounted, or left. */
function isOfAnotherRun(path: string): boolean {
  return path.startsWith(prefix) && path !== mountpoint;
}

function mountHung(): number | undefined {
  mkdirSync(mountpoint);
  let device: number;
  try {
    device = openSync('/dev/fuse', 'r+');
  } catch {
    return undefined;
  }
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
  const { status } = spawnSync('mount', ['-i', '-t', 'fuse', '-o', options, 'none', mountpoint], { stdio: ['ignore', 'ignore', 'ignore', device] });
  if (status === 0) return device;
  closeSync(device);
  return undefined;
}

if (fuse === undefined) {
  test('a mountpoint that nothing is mounted on is answered for by the file system below', async () => {
    const { sizeBytes } = await new KernelFiles({ procRoot: '/proc', sysRoot: '/sys' }).statfs(mountpoint, 'local');
    expect(sizeBytes).toBeGreaterThan(0);
  });
} else {
  test('once marks a mount that hangs, prints everything else, and ends', async () => {
    const { code, stdout } = await runToEnd('collector', {}, ['once']);
    const lines = stdout.split('\n').map((line) => JSON.parse(line) as { metric: Record<string, string>; values: number[] });
    const of = (name: string, labels: Record<string, string> = {}) =>
      lines.filter(({ metric }) => metric['__name__'] === name && Object.entries(labels).every(([label, value]) => metric[label] === value));
    const unreadable = of('filesystem_unreadable').filter(({ metric }) => !isOfAnotherRun(metric['mountpoint']!));
    expect(unreadable.map(({ metric, values }) => [metric['mountpoint'], values])).toEqual([[mountpoint, [1]]]);
    expect(of('filesystem_size_bytes', { mountpoint })).toEqual([]);
    expect(of('filesystem_size_bytes', { mountpoint: '/' })).toHaveLength(1);
    expect(of('cpu_usage_percent', { core: 'all' })).toHaveLength(1);
    expect(code).toBe(0);
  });

  test('a running collector goes on at its interval beside a mount that hangs, and ends when it is told to', async () => {
    const environment = { THUGSHELLS_DB_PATH: join(folder, 'metrics.db'), THUGSHELLS_INTERVAL: '200ms', THUGSHELLS_LOG_LEVEL: 'debug' };
    const agent = new AgentProcess('collector', environment);
    const scrapes = (collector: string) => agent.told('scrape').filter((line) => line['collector'] === collector);
    try {
      // Those of sysfs share their threads with what hangs.
      await until('it has met the mount, and gone on for long after', () => scrapes('filesystem').length >= 3 && scrapes('cpu').length >= 30);
      expect(Math.min(...['memory', 'disk', 'network', 'temperature', 'load', 'pressure'].map((name) => scrapes(name).length))).toBeGreaterThanOrEqual(20);
    } finally {
      expect(await agent.stop()).toEqual({ code: 0, signal: null });
    }
  });
}
