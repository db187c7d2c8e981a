import { chmodSync, closeSync, constants, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, expect, test } from '@jest/globals';

import { endpointOf, healthAt } from '../support/agent-pair.ts';
import { AgentProcess, builtHere, runToEnd, type Runner } from '../support/agent-process.ts';
import { mountNamespace, NAMESPACE_HINT, unmountLeftover } from '../support/small-file-system.ts';
import { until } from '../support/until.ts';

/**
 * A mount whose server never answers: FUSE in a mount namespace of the collector's own, which inherits the server's end
 * and reads no request from it. It goes with the process.
 */

const namespace = mountNamespace();

/** Runs a program after a script, which may mount and then executes it; the script has `argument` as `$0`. */
function runAfter(script: string, argument: string): Runner {
  const [command = '', ...before] = [...namespace, 'sh', '-c', script, argument, ...builtHere.command];
  return { ...builtHere, command: [command, ...before] };
}

const folder = mkdtempSync(join(tmpdir(), 'hung-mount-'));
const mountpoint = join(folder, 'nas');
const script = `[ -w /dev/fuse ] && exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 none "$0" && exec "$@"
echo "cannot mount a file system of FUSE: modprobe fuse; chmod 666 /dev/fuse (as udev does); ${NAMESPACE_HINT}" >&2
exit 1`;
const besideHungMount = runAfter(script, mountpoint);

/** Mounts below a folder that nobody may enter who lacks root's capabilities for that, and one of them of a program. */
const closed = join(folder, 'closed');
const closedScript = `[ -w /dev/fuse ] && exec 3<>/dev/fuse && mount -t tmpfs none "$0/stick" &&
mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 none "$0/doc" && chmod 0 "$0" &&
exec setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all "$@"
echo "cannot mount file systems: modprobe fuse; chmod 666 /dev/fuse (as udev does); ${NAMESPACE_HINT}" >&2
exit 1`;
const besideClosedFolder = runAfter(closedScript, closed);

/** Reads of /etc/hosts never return to getaddrinfo(3), as from a resolver that is gone, where it takes a while. */
const hosts = join(folder, 'hosts');
const hostsScript = `mkfifo "$0" && mount --bind "$0" /etc/hosts && exec "$@"
echo "cannot mount: ${NAMESPACE_HINT}" >&2
exit 1`;
const besideHungResolver = runAfter(hostsScript, hosts);

mkdirSync(mountpoint);
for (const name of ['stick', 'doc']) mkdirSync(join(closed, name), { recursive: true });

afterEach(() => {
  unmountLeftover(mountpoint);
  if (namespace.length === 0) unmountLeftover('/etc/hosts');
});

afterAll(() => {
  for (const name of ['stick', 'doc']) unmountLeftover(join(closed, name));
  chmodSync(closed, 0o700);
  rmSync(folder, { recursive: true });
});

interface ExportedLine {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

const parseExport = (stdout: string) => stdout.split('\n').map((line) => JSON.parse(line) as ExportedLine);

test('once marks a mount that hangs, prints everything else, and ends', async () => {
  const { code, stdout, stderr } = await runToEnd('collector', {}, ['once'], besideHungMount);
  // It says so where the mount could not be made.
  expect(stderr).toBe('');
  const lines = parseExport(stdout);
  const of = (name: string, labels: Record<string, string> = {}) =>
    lines.filter(
      ({ metric }) =>
        metric['__name__'] === name && Object.entries(labels).every(([label, value]) => metric[label] === value),
    );
  const unreadable = of('filesystem_unreadable');
  expect(unreadable.map(({ metric, values }) => [metric['mountpoint'], values])).toEqual([[mountpoint, [1]]]);
  expect(of('filesystem_size_bytes', { mountpoint })).toEqual([]);
  // In a chroot the root need not be a mount.
  const mountpoints = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4]);
  expect(of('filesystem_size_bytes', { mountpoint: '/' })).toHaveLength(mountpoints.includes('/') ? 1 : 0);
  expect(of('cpu_usage_percent', { core: 'all' })).toHaveLength(1);
  expect(code).toBe(0);
});

test('once leaves out mounts below a folder that its user may not enter, and counts them', async () => {
  const environment = { THUGSHELLS_COLLECTORS: 'filesystem' };
  const { code, stdout, stderr } = await runToEnd('collector', environment, ['once'], besideClosedFolder);
  expect([code, stderr]).toEqual([0, '']);
  const lines = parseExport(stdout);
  const dropped = lines.filter(({ metric }) => metric['__name__'] === 'filesystem_mounts_dropped_total');
  expect(dropped.map(({ values }) => values)).toEqual([[2]]);
  expect(lines.filter(({ metric }) => metric['mountpoint']?.startsWith(closed))).toEqual([]);
});

test('a running collector keeps its interval beside a mount that hangs, and ends on SIGTERM', async () => {
  const environment = {
    THUGSHELLS_DB_PATH: join(folder, 'metrics.db'),
    THUGSHELLS_INTERVAL: '200ms',
    THUGSHELLS_LOG_LEVEL: 'debug',
  };
  const agent = new AgentProcess('collector', environment, [], besideHungMount);
  const scrapes = (collector: string) => agent.told('scrape').filter((line) => line['collector'] === collector);
  try {
    // Those of sysfs share their threads with what hangs.
    await until(
      'it has met the mount, and gone on for long after',
      () => scrapes('filesystem').length >= 3 && scrapes('cpu').length >= 30,
    );
    expect(
      Math.min(...['memory', 'disk', 'network', 'temperature', 'load', 'pressure'].map((name) => scrapes(name).length)),
    ).toBeGreaterThanOrEqual(20);
  } finally {
    expect(await agent.stop()).toEqual({ code: 0, signal: null });
  }
});

test('text files on a mount that hangs from the start are named in health and once in the log, and the collector ends on SIGTERM', async () => {
  const environment = {
    THUGSHELLS_DB_PATH: join(folder, 'textfiles.db'),
    THUGSHELLS_COLLECTORS: 'load textfile',
    THUGSHELLS_TEXTFILE_DIR: mountpoint,
    THUGSHELLS_INTERVAL: '200ms',
    THUGSHELLS_HEALTH_PORT: '0',
  };
  const collector = new AgentProcess('collector', environment, [], besideHungMount);
  const uploader = new AgentProcess('uploader', environment);
  try {
    const endpoint = await endpointOf(uploader);
    const named = await until('health names it', async () => {
      const component = (await healthAt(endpoint)).report.components['collector.textfile'];
      return component?.status === 'degraded' ? component : undefined;
    });
    expect(named.message).toMatch(/^no scrape for [5-9](\.\d)? s; run: journalctl -u thugshells-collector$/);
    expect(named.details['last_scrape']).toBeUndefined();
    await until('the log names it', () => collector.told('scrape overdue').length > 0);
  } finally {
    await uploader.kill('SIGKILL');
    expect(await collector.stop()).toEqual({ code: 0, signal: null });
  }
  expect(collector.told('scrape overdue').map((line) => line['collector'])).toEqual(['textfile']);
});

test('an uploader that waits for the address of its receiver ends on SIGTERM', async () => {
  const environment = {
    THUGSHELLS_DB_PATH: join(folder, 'resolver.db'),
    THUGSHELLS_INTERVAL: '200ms',
    THUGSHELLS_HEALTH_PORT: '0',
    THUGSHELLS_REMOTE_URL: 'http://receiver.example:8428',
  };
  const collector = new AgentProcess('collector', environment);
  const uploader = new AgentProcess('uploader', environment, [], besideHungResolver);
  // A pipe without a reader cannot be opened for writing.
  const openPipe = () => openSync(hosts, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    const pipe = await until('it looks the address up', openPipe);
    expect(await uploader.stop()).toEqual({ code: 0, signal: null });
    closeSync(pipe);
  } finally {
    await uploader.kill('SIGKILL');
    await collector.stop();
  }
  expect(uploader.problems).toEqual([]);
});
