import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { startReceiver, type Receiver } from '../receiver/src/server.ts';
import { AgentPair, endpointOf, healthAt } from '../support/agent-pair.ts';
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

test('health: faults drive the device through ok, degraded, error and back, and each endpoint responds accordingly (A-38)', async () => {
  const collector = agents.start('collector');
  const uploader = agents.start('uploader');
  const endpoint = await endpointOf(uploader);
  /** Waits until the box is in a state, by a component, and says what the addresses answer then. */
  const reaches = async (state: string, name: string, message: RegExp): Promise<readonly number[]> => {
    const seen = await until(
      `${name} makes the box ${state}`,
      async () => {
        const { report, statuses } = await healthAt(endpoint);
        const component = report.components[name];
        const isSo =
          report.status === state &&
          (state === 'ok' || component?.status === state) &&
          message.test(component?.message ?? '');
        return isSo && { statuses, report };
      },
      60_000,
    );
    return seen.statuses;
  };

  expect(await reaches('ok', 'uploader', /uploading|everything delivered/)).toEqual([200, 200, 200]);

  receiver.setFaults({ status: 503 });
  expect(await reaches('degraded', 'uploader', /HTTP 503/)).toEqual([200, 503, 200]);

  receiver.setFaults({ status: 401, body: 'no token' });
  expect(await reaches('error', 'uploader', /receiver rejects uploads: HTTP 401/)).toEqual([503, 503, 200]);

  receiver.setFaults([]);
  expect(await reaches('ok', 'uploader', /uploading|everything delivered/)).toEqual([200, 200, 200]);

  await collector.kill('SIGKILL');
  expect(await reaches('error', 'collector', /no heartbeat for/)).toEqual([503, 503, 200]);
  agents.start('collector');
  expect(await reaches('ok', 'collector', /collecting/)).toEqual([200, 200, 200]);

  receiver.setFaults({ dateSkewMs: -60_000 });
  expect(await reaches('degraded', 'time', /clock is 1 min ahead/)).toEqual([200, 503, 200]);
  receiver.setFaults([]);
  expect(await reaches('ok', 'time', /agrees/)).toEqual([200, 200, 200]);

  const changes = uploader
    .told('health changed')
    .map(({ component, from, to, reason }) => ({ component, from, to, reason }));
  for (const change of changes) expect(change.from).not.toBe(change.to);
  const ofUploader = changes.filter(({ component }) => component === 'uploader').map(({ to }) => to);
  expect(ofUploader).toEqual(expect.arrayContaining(['degraded', 'error', 'ok']));
  expect(changes).toContainEqual({
    component: 'collector',
    from: 'ok',
    to: 'error',
    reason: expect.stringContaining('no heartbeat for'),
  });
}, 240_000);

test('health: times in the report are RFC 3339, and no page contains a secret', async () => {
  await agents.remove();
  agents = new AgentPair({
    REMOTE_URL: receiver.url.replace('://', '://someone:secret-word@') + '/api/v1/import?token=secret-word',
  });
  agents.start('collector');
  const endpoint = await endpointOf(agents.start('uploader'));
  await until(
    'something is delivered',
    async () => (await healthAt(endpoint)).report.components['uploader']?.details['last_upload'],
  );
  const { report } = await healthAt(endpoint);
  const times = Object.values(report.components).flatMap(({ since, details }) => [
    since,
    details['last_scrape'],
    details['heartbeat'],
    details['oldest_pending'],
    details['last_upload'],
  ]);
  for (const time of times.filter((each) => each !== undefined))
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const everything = await Promise.all(
    ['/', '/health', '/metrics', '/status.json', '/history.json', '/nothing'].map(async (path) =>
      (await fetch(new URL(path, endpoint))).text(),
    ),
  );
  expect(everything.join('')).not.toContain('secret-word');
  expect(agents.lines().join('')).not.toContain('secret-word');
}, 120_000);
