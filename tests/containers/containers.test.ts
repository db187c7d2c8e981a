import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { Books } from '../../uploader/src/queue/backlog.ts';
import { expressionsOfDocument, query } from '../support/promql.ts';
import { until } from '../support/until.ts';
import { Stack, type Service } from './stack.ts';

const LONG_MS = 900_000;
const AGENT = ['collector', 'uploader'] as const;

let stack: Stack;

beforeAll(async () => {
  stack = await Stack.onFreePorts();
});
afterAll(async () => {
  await stack.compose('down', '-v').catch(() => undefined);
}, 120_000);

/** Instant values, when there are some. */
async function answered(text: string): Promise<Awaited<ReturnType<typeof query>>> {
  return until(
    `${text} gives data`,
    async () => {
      await fetch(`${stack.victoriaMetrics}/internal/force_flush`);
      const values = await query(stack.victoriaMetrics, text, new Date());
      return values.length > 0 && values;
    },
    120_000,
  );
}

test(
  'both Dockerfiles build as they stand, and what they make runs as another user than root',
  async () => {
    const output = await stack.compose('build', 'collector', 'receiver');
    for (const image of ['thugshells', 'thugshells-receiver']) {
      if (!(await stack.hasImage(image))) throw new Error(`${image} was not built:\n${output.slice(-4_000)}`);
      expect(await stack.podman('image', 'inspect', image, '--format', '{{.Config.User}}')).toBe('1000:1000');
    }
  },
  LONG_MS,
);

test(
  'the compose file brings everything up, and samples of this host answer queries',
  async () => {
    await stack.compose('up', '-d', '--no-build', 'victoria-metrics', 'collector', 'uploader');
    const [boot] = await answered('system_boot_id_info{device_id="board-1"}');
    expect(boot!.metric['value']).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    const interfaces = (await answered('network_rx_bytes_total')).map(({ metric }) => metric['interface']);
    const others = Object.keys(networkInterfaces()).filter((name) => name !== 'lo');
    expect(interfaces).toEqual(expect.arrayContaining(others.filter((name) => !/^(docker|veth|br-|virbr)/.test(name))));
  },
  LONG_MS,
);

describe('each container of the agent', () => {
  test.each(AGENT)(
    'cannot write to its root file system, nor to the kernel: %s',
    async (service) => {
      await expect(stack.shell(service, 'echo x > /usr/lib/thugshells/x')).rejects.toThrow('Read-only file system');
      expect(await stack.shell(service, 'id -u')).toBe('1000');
      expect(await stack.shell(service, 'grep CapEff /proc/1/status')).toMatch(/0{16}$/);
    },
    LONG_MS,
  );

  test(
    'sees the host’s /proc and /sys read-only',
    async () => {
      for (const root of ['/host/proc', '/host/sys']) {
        expect(
          await stack.shell('collector', `grep " ${root} " /proc/self/mountinfo | head -1 | cut -d " " -f 6`),
        ).toMatch(/^ro,/);
      }
    },
    LONG_MS,
  );
});

test.each(['victoria-metrics', 'collector', 'uploader'] as const)(
  'the health check of %s is content',
  async (service) => {
    // Its exit code is that of the check.
    await until(
      'it is',
      async () => (await stack.podman('healthcheck', 'run', stack.container(service))) !== undefined,
      120_000,
    );
  },
  LONG_MS,
);

test(
  'every query of the page about containers gives data',
  async () => {
    const expressions = expressionsOfDocument('deploy/docker/README.md');
    expect(expressions.length).toBeGreaterThan(3);
    for (const { text } of expressions) expect(await answered(text)).not.toHaveLength(0);
  },
  LONG_MS,
);

/** Fetches the books from the health endpoint of the uploader. */
async function books(): Promise<Books> {
  const report = (await (await fetch(`${stack.sidecar}/health`)).json()) as {
    components: { storage: { details: Books } };
  };
  return report.components.storage.details;
}

/** All samples that the receiver has. */
async function countStored(): Promise<number> {
  await fetch(`${stack.victoriaMetrics}/internal/force_flush`);
  const all = new URLSearchParams({
    'match[]': '{device_id="board-1"}',
    start: '0',
    end: String(Math.ceil(Date.now() / 1000) + 60),
  });
  const text = await (await fetch(`${stack.victoriaMetrics}/api/v1/export?${all.toString()}`)).text();
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.reduce((sum, line) => sum + (JSON.parse(line) as { timestamps: number[] }).timestamps.length, 0);
}

test(
  'a restart of each container loses nothing',
  async () => {
    for (const service of ['collector', 'uploader', 'victoria-metrics'] as const satisfies readonly Service[]) {
      const before = (await books()).collected;
      await stack.podman('restart', stack.container(service));
      await until(
        `samples are collected after the restart of ${service}`,
        async () => (await books()).collected > before + 50,
        120_000,
      );
    }
    await stack.podman('stop', stack.container('collector'));
    await until('everything is delivered', async () => (await books()).pending === 0, 180_000);
    const { collected, delivered, rejected, dropped } = await books();
    expect({ delivered, rejected, dropped }).toEqual({ delivered: collected, rejected: 0, dropped: 0 });
    expect(await until('it is all there', async () => (await countStored()) === collected, 60_000)).toBe(true);
  },
  LONG_MS,
);

test(
  'the receiver of the tests takes samples and gives them back',
  async () => {
    await stack.compose('up', '-d', '--no-build', 'receiver');
    await until('it listens', async () => (await fetch(`${stack.receiver}/health`)).ok, 60_000);
    const line = JSON.stringify({ metric: { __name__: 'tried' }, values: [1], timestamps: [Date.now()] });
    expect((await fetch(`${stack.receiver}/api/v1/import`, { method: 'POST', body: line })).status).toBe(204);
    expect(await (await fetch(`${stack.receiver}/api/v1/export?match[]=tried`)).text()).toContain('"tried"');
  },
  LONG_MS,
);
