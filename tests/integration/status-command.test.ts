import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { startReceiver, type Receiver } from '../receiver/src/server.ts';
import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import { runToEnd } from '../support/agent-process.ts';
import { until } from '../support/until.ts';

let receiver: Receiver;
let agents: AgentPair;

beforeEach(async () => {
  receiver = await startReceiver();
  agents = new AgentPair({ REMOTE_URL: `${receiver.url}/api/v1/import` });
});
afterEach(async () => {
  await agents.remove();
  await receiver.stop();
});

const status = (...args: string[]): ReturnType<typeof runToEnd> =>
  runToEnd('uploader', agents.environment, ['status', ...args]);

test('status command: prints the state and exits with 0, 1 or 2, from the uploader if it runs, else from the database', async () => {
  const collector = agents.start('collector');
  const uploader = agents.start('uploader');
  await endpointOf(uploader);
  const ok = await until(
    'the device is ok',
    async () => {
      const seen = await status();
      // A device that has just started is ok as well.
      return seen.stdout.startsWith('board-1 is ok') && seen;
    },
    60_000,
  );
  expect([ok.code, ok.stdout]).toEqual([0, expect.stringMatching(/^board-1 is ok: all components are ok\n/)]);
  expect(ok.stdout).toMatch(/books +[\d,]+ collected = [\d,]+ delivered \+ [\d,]+ pending/);
  expect(ok.stdout).not.toContain('\u001b');
  expect(ok.stdout.split('\n').length).toBeLessThanOrEqual(50);

  receiver.setFaults({ status: 403 });
  interface Report {
    readonly status: string;
    readonly components: Readonly<Record<string, { readonly status: string }>>;
    readonly uploads: readonly { readonly outcome: string }[];
    readonly books: Readonly<Record<string, number>>;
  }
  // An upload that was in flight when the rejections began is partial, and it is the last one for half a second.
  const report = await until(
    'the receiver has rejected a whole upload',
    async () => {
      const seen = await status('--json');
      const printed = JSON.parse(seen.stdout) as Report;
      return seen.code === 2 && printed.uploads[0]?.outcome === 'failed' && printed;
    },
    60_000,
  );
  expect([report.status, report.components['uploader']?.status]).toEqual(['error', 'error']);
  expect(report.books['collected']).toBe(report.books['delivered']! + report.books['pending']!);

  receiver.setFaults([]);
  await until('the device is ok again', async () => (await status()).code === 0, 60_000);
  await uploader.stop();
  const stopped = await status();
  expect([stopped.code, stopped.stdout]).toEqual([
    1,
    expect.stringContaining('uploader     degraded  uploader not running'),
  ]);
  expect(stopped.stdout).toMatch(/Last uploads\n +\d\d:\d\d:\d\d {2}[\d,]+ samples/);

  await collector.stop();
  await until('the collector’s heartbeat is old', async () => (await status()).code === 2, 60_000);
}, 240_000);

test('status command: without a database says what to do', async () => {
  const { code, stderr } = await status();
  expect([code, stderr]).toEqual([
    3,
    expect.stringMatching(/cannot open the database .*\nhint: start the collector: it creates the database/s),
  ]);
});
