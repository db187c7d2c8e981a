import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { until } from '../support/until.ts';
import type { ExportedSeries } from '../support/victoria-metrics.ts';
import { Board } from './board.ts';

/** What the collector reads in its sandbox, as it comes to the receiver, beside what commands and a script of their own read. */

/** Longer than the kernel keeps of a name. */
const NAME = 'encoder-of-the-device';
const UNIT = 'encoder.service';
const DROP_INS = '/etc/systemd/system/thugshells-collector.service.d';

let board: Board;

/** A program of another user: two processes of the name, with descriptors of their own, that use some of a core. */
const PROGRAM = `exec 5< /etc/passwd 6< /etc/group
work() { while :; do i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; read -t 0.1 _ || true; done; }
work <> /run/encoder-pipe & work <> /run/encoder-pipe`;

beforeAll(async () => {
  // In a container of version 1 systemd accounts for nothing.
  board = await Board.boot(process.env['THUGSHELLS_PACKAGE'], { hasUnifiedCgroups: true });
  const { container } = board;
  container.write(
    'opt/independent-reader.sh',
    readFileSync(join(import.meta.dirname, 'independent-reader.sh'), 'utf8'),
  );
  container.write('opt/encoder.sh', PROGRAM);
  container.write(
    `etc/systemd/system/${UNIT}`,
    `[Service]\nUser=nobody\nExecStartPre=+sh -c 'rm -f /run/encoder-pipe; mkfifo -m 666 /run/encoder-pipe'\nExecStart=/usr/local/bin/${NAME} /opt/encoder.sh\nRestart=always\nRestartSec=100ms\nCPUAccounting=yes\nMemoryAccounting=yes\nTasksAccounting=yes\n`,
  );
  container.output(`cp /bin/bash /usr/local/bin/${NAME} && systemctl daemon-reload && systemctl start ${UNIT}`);
  for (const args of ['add uplink0 type veth peer name spare0', 'set uplink0 up'])
    container.inNetwork('ip', 'link', ...args.split(' '));
  board.configure({ PROCESSES: NAME, SERVICES: UNIT });
  container.output('systemctl restart thugshells-collector');
});

afterAll(async () => {
  await board?.remove();
});

/** What the script in the container reads. */
function readIndependently(): Record<string, string> {
  const lines = board.container.output(`sh /opt/independent-reader.sh ${NAME}`).split('\n');
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]));
}

/** The first samples of series that were taken after this moment, by their labels but those of the device. */
async function readNext(name: string): Promise<Record<string, number>> {
  const after = Number(board.container.output('date +%s%3N'));
  const samples = await until(
    `a sample of ${name} comes`,
    () => {
      board.container.page('http://127.0.0.1:8428/internal/force_flush');
      const query = new URLSearchParams({ 'match[]': name, start: `${after / 1000}` }).toString();
      const lines = board.container.page(`http://127.0.0.1:8428/api/v1/export?${query}`).split('\n');
      const series = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as ExportedSeries);
      const fresh = series.filter(({ timestamps }) => timestamps.some((timestamp) => timestamp >= after));
      return fresh.length > 0 && fresh;
    },
    60_000,
  );
  return Object.fromEntries(
    samples.map(({ metric, values, timestamps }) => {
      const { __name__: _, device_id: __, ...labels } = metric;
      return [Object.values(labels).sort().join(), values[timestamps.findIndex((timestamp) => timestamp >= after)]!];
    }),
  );
}

/** A value of the collector between two of the other reader: a counter that only grows agrees if it is between them. */
async function expectBetween(name: string, label: string, readOther: () => number): Promise<void> {
  const before = readOther();
  const value = (await readNext(name))[label];
  expect(value).toBeGreaterThanOrEqual(before);
  expect(value).toBeLessThanOrEqual(readOther());
}

describe('processes in the sandbox of the unit', () => {
  test('are hidden without the drop-in: the health report names the remedy, and nothing is counted', async () => {
    const component = await until(
      'the collector is at fault',
      () => {
        const page = board.container.page('http://127.0.0.1:9109/status.json');
        const { components } = JSON.parse(page) as { components: Record<string, { status: string; message: string }> };
        const found = components['collector.process'];
        return found?.status === 'degraded' && found;
      },
      60_000,
    );
    expect(component.message).toContain('cannot see the processes of other users: process 1 is not in /proc');
    expect(component.message).toContain('install the drop-in processes.conf');
    expect(board.container.page('http://127.0.0.1:8428/api/v1/query?query=processes_count')).toContain('"result":[]');
  });

  test('are those that a script reads, with the drop-in, for a process of another user', async () => {
    board.container.output(
      `mkdir -p ${DROP_INS} && cp /usr/share/doc/thugshells/examples/processes.conf ${DROP_INS} && systemctl daemon-reload && systemctl restart thugshells-collector`,
    );
    await until(
      'the collector sees processes',
      () => readNext('processes_count').then((read) => read[NAME] === 2),
      60_000,
    );
    const read = readIndependently();
    const value = async (name: string) => (await readNext(name))[NAME];
    expect({
      count: await value('processes_count'),
      threads: await value('processes_threads'),
      files: await value('processes_open_files'),
    }).toEqual({
      count: Number(read[`process.${NAME}.count`]),
      threads: Number(read[`process.${NAME}.threads`]),
      files: Number(read[`process.${NAME}.files`]),
    });
    const resident = (await value('processes_resident_bytes')) ?? 0;
    // The kernel adds pages up in batches, of each core and each process.
    expect(Math.abs(resident - Number(read[`process.${NAME}.resident`]))).toBeLessThan(2 ** 20);
    expect(Number(read[`process.${NAME}.files`])).toBeGreaterThanOrEqual(10);
  });

  test('have used the processor time that a script reads, between two scrapes', async () => {
    const used = () => Number(readIndependently()[`process.${NAME}.cpu`]);
    const value = async () => (await readNext('processes_cpu_seconds_total'))[NAME]!;
    const [firstBefore, first, firstAfter] = [used(), await value(), used()];
    await until('another second has been used', () => used() > firstAfter + 1, 60_000);
    const [lastBefore, last, lastAfter] = [used(), await value(), used()];
    // Ticks are rounded down for each thread.
    expect(last - first).toBeGreaterThan(lastBefore - firstAfter - 0.1);
    expect(last - first).toBeLessThan(lastAfter - firstBefore + 0.1);
  });

  test('have the states and threads that a script counts', async () => {
    board.container.output(`systemd-run --unit=stopped --quiet sleep infinity && systemctl kill -s STOP stopped`);
    const states = await until('the stopped one is seen', async () => {
      const read = await readNext('system_processes');
      return read['stopped'] === 1 && read;
    });
    const read = readIndependently();
    expect(states['stopped']).toBe(Number(read['state.stopped']));
    // Those that run while the script does are its own commands.
    expect(Math.abs(states['sleeping']! - Number(read['state.sleeping']))).toBeLessThanOrEqual(5);
    expect((await readNext('system_threads'))['']).toBeGreaterThanOrEqual(Number(read['threads']) - 10);
    board.container.output('systemctl kill -s KILL stopped');
  });
});

describe('a service', () => {
  /** A property of the unit as a number; undefined where systemd does not account for it. */
  function show(property: string): number | undefined {
    const text = board.container.property(UNIT, property);
    return /^[0-9]+$/.test(text) && Number(text) < 2 ** 63 ? Number(text) : undefined;
  }

  test('has used the processor time that systemctl shows', async () => {
    expect(show('CPUUsageNSec')).toBeGreaterThan(0);
    await expectBetween('service_cpu_seconds_total', UNIT, () => show('CPUUsageNSec')! / 1e9);
  });

  test('has the memory and tasks that systemctl shows, where it shows them', async () => {
    const [memory, tasks] = [show('MemoryCurrent'), show('TasksCurrent')];
    if (tasks !== undefined) expect((await readNext('service_tasks'))[UNIT]).toBe(tasks);
    if (memory !== undefined) {
      const value = (await readNext('service_memory_bytes'))[UNIT]!;
      expect(Math.abs(value - memory)).toBeLessThan(2 ** 20);
    }
    expect((await readNext('service_up'))[UNIT]).toBe(1);
  });

  test('has restarted as often as systemctl shows, and so have its processes', async () => {
    const [restarts, starts] = [await readNext('service_restarts_total'), await readNext('processes_starts_total')];
    const before = show('NRestarts')!;
    board.container.output(`systemctl kill -s KILL ${UNIT}`);
    await until('systemd has started it again', () => show('NRestarts') === before + 1);
    const readStarts = async () => (await readNext('processes_starts_total'))[NAME]! - starts[NAME]!;
    await until('both of its processes are seen anew', async () => (await readStarts()) === 2, 30_000);
    expect((await readNext('service_restarts_total'))[UNIT]! - restarts[UNIT]!).toBe(1);
  });
});

test('links are up and change as ip shows it', async () => {
  interface Link {
    readonly ifname: string;
    readonly operstate: string;
    readonly flags: readonly string[];
    readonly stats64: { readonly tx: { readonly carrier_changes: number } };
  }
  const show = () => {
    const links = JSON.parse(board.container.inNetwork('ip', '-j', '-s', '-s', 'link')) as Link[];
    return Object.fromEntries(links.map((link) => [link.ifname, link]));
  };
  // The carrier of one end is the state of the other.
  const setOther = (state: string) => board.container.inNetwork('ip', 'link', 'set', 'spare0', state);
  for (const state of ['up', 'down', 'up', 'down']) setOther(state);
  const expectAgreement = async () => {
    const [up, changes, links] = [
      await readNext('network_up'),
      await readNext('network_carrier_changes_total'),
      show(),
    ];
    for (const name of ['uplink0', 'spare0']) {
      const { operstate, flags, stats64 } = links[name]!;
      const isUp = operstate === 'UP' || (operstate === 'UNKNOWN' && flags.includes('LOWER_UP'));
      expect({ name, up: up[name], changes: changes[name] }).toEqual({
        name,
        up: isUp ? 1 : 0,
        changes: stats64.tx.carrier_changes,
      });
    }
    return up['uplink0'];
  };
  expect(await expectAgreement()).toBe(0);
  setOther('up');
  expect(await expectAgreement()).toBe(1);
});

test('resources and the system are those that a script reads', async () => {
  const read = readIndependently();
  expect((await readNext('kernel_files_max'))['']).toBe(Number(read['files_max']));
  expect((await readNext('memory_oom_kills_total'))['']).toBe(Number(read['oom_kills']));
  const open = (await readNext('kernel_files_open'))['']!;
  expect(Math.abs(open - Number(read['files_open']))).toBeLessThan(0.5 * open);
  await expectBetween('network_tcp_segments_sent_total', '', () => Number(readIndependently()['tcp_sent']));
  await expectBetween('system_processes_started_total', '', () => Number(readIndependently()['forks']));
  const texts = ['system_architecture_info', 'system_kernel_info', 'system_os_release_info'];
  expect(await Promise.all(texts.map(async (name) => Object.keys(await readNext(name))[0]))).toEqual([
    read['architecture'],
    read['kernel'],
    read['os_release'],
  ]);
});
