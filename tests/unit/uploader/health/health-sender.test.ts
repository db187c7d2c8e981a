import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { uncompress } from 'snappyjs';

import { canonicalTags } from '@thugshells/shared/metrics/sample.ts';

import { ReceiverState } from '../../../../uploader/src/delivery/receiver-state.ts';
import { HealthMonitor } from '../../../../uploader/src/health/monitor.ts';
import { HealthSender, type HealthSenderOptions } from '../../../../uploader/src/health/health-sender.ts';
import { OwnLabels } from '../../../../uploader/src/queue/own-labels.ts';
import type { Snapshot } from '../../../../uploader/src/telemetry/snapshot.ts';
import { NO_PAUSE, type Pause } from '../../../../uploader/src/transport/attempt-backoff.ts';
import { HttpTransport } from '../../../../uploader/src/transport/http-transport.ts';
import { VictoriaMetricsProtocol } from '../../../../uploader/src/transport/victoriametrics.ts';
import { startReceiver, type Receiver } from '../../../receiver/src/server.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { directConnection } from '../../../support/uploader/direct-connection.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { LIMITS, NOW, snapshot } from '../../../support/uploader/made-snapshot.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';

const never = new AbortController().signal;
const DEAD: Partial<Snapshot> = { heartbeatAgeMs: 600_000 };
/** A label of the site that one of the series has too. */
const SITE = { component: 'rack 3' };
const UPLOAD_INTERVAL_MS = 30_000;
/** Little-endian, as protobuf has a double. */
const STALE_BITS = Buffer.from('020000000000f07f', 'hex').toString('latin1');
const DELIVERED = {
  outcome: { kind: 'delivered' },
  endpoint: '',
  isClosing: false,
  bytesSent: 0,
  bytesReceived: 0,
  durationMs: 0,
} as const;

let stored: StoredSamples;
let receiver: Receiver;
let client: HttpTransport;
let clock: FakeClock;
let state: ReceiverState;
let pause: Pause;
let current: Partial<Snapshot>;
let bytes: number;
beforeEach(async () => {
  stored = new StoredSamples();
  clock = new FakeClock(NOW);
  receiver = await startReceiver({ now: () => clock.now() });
  client = createClient();
  state = new ReceiverState(clock, new LogRecord());
  [pause, current, bytes] = [NO_PAUSE, DEAD, 0];
});
afterEach(async () => {
  client.close();
  await receiver.stop();
  stored.remove();
});

function createClient(): HttpTransport {
  const remoteUrl = `${receiver.url}/api/v1/import`;
  const protocol = new VictoriaMetricsProtocol();
  return new HttpTransport({ ...directConnection, clock, protocol, remoteUrl, remoteTimeoutMs: 5_000 });
}

function createSender(changes: Partial<HealthSenderOptions> = {}): HealthSender {
  const logger = new LogRecord();
  const snapshots = { take: () => snapshot({ ...current, nowMs: clock.now() }) };
  const identity = { version: '1.2.3', deviceId: 'board-1', configurationWarnings: [] };
  const monitor = new HealthMonitor({ clock, logger, snapshots, limits: LIMITS, ...identity });
  const labels = new OwnLabels(stored.database, 'board-1');
  return new HealthSender({
    clock,
    logger,
    client,
    deviceId: 'board-1',
    uploadIntervalMs: UPLOAD_INTERVAL_MS,
    readStatus: () => monitor.status(),
    readSilenceMs: () => snapshots.take().heartbeatAgeMs,
    isLocked: () => current.lock !== undefined,
    readLabels: () => labels.read() ?? SITE,
    transport: {
      format: client.format,
      sendOnce: (chunk, signal) => client.send(chunk, signal),
      get pause() {
        return pause;
      },
    },
    receiver: state,
    receiverClock: { stampNow: () => clock.now() },
    onSent: (sent) => (bytes += sent),
    ...changes,
  });
}

/** What the receiver has: times relative to the beginning, series and values. */
function received(match: RegExp): (readonly [number, string, number])[] {
  return receiver
    .rows()
    .filter(({ series }) => match.test(series))
    .map(({ timestampMs, series, value }) => [timestampMs - NOW, series, value] as const);
}

/** Lists what the receiver has of components: seconds, reason and value. */
function listStatuses(): string[] {
  return received(/component_status/)
    .map(([at, series, value]) => `${at / 1000} ${/"reason":"(\w+)"/.exec(series)?.[1]} ${value}`)
    .sort();
}

describe('health sender:', () => {
  test('sends the health, the components that are not ok, what is pending and the version while the collector stores nothing', async () => {
    await createSender().report(never);
    const names = received(/./).map(([, series, value]) => [series, value]);
    expect(Object.fromEntries(names)).toEqual(
      expect.objectContaining({
        [seriesOf('uploader_health_status', SITE)]: 2,
        [seriesOf('storage_metrics_pending_upload', SITE)]: 10,
        [seriesOf('storage_oldest_pending_seconds', SITE)]: 20,
        [seriesOf('uploader_build_info', { ...SITE, version: '1.2.3' })]: 1,
      }),
    );
    expect(received(/component_status/)).toEqual([
      [0, seriesOf('uploader_component_status', { component: 'collector', reason: 'no_heartbeat' }), 2],
    ]);
    expect(bytes).toBeGreaterThan(0);
    expect(stored.number('SELECT collected + (SELECT delivered FROM uploader_state) FROM collector_state')).toBe(0);
  });

  test('sends nothing of a collector that has been silent for less than half a minute', async () => {
    const sender = createSender();
    current = {};
    await sender.report(never);
    current = {
      heartbeatAgeMs: 29_000,
      collectors: snapshot().collectors.map((each) => ({ ...each, intervalMs: 1_000 })),
    };
    await sender.report(never);
    expect(received(/./)).toEqual([]);
    current = { ...current, heartbeatAgeMs: 30_000 };
    await sender.report(never);
    expect(received(/health_status/)).toHaveLength(1);
  });

  test('sends nothing while a lock keeps the collector from storing: it stores the same samples later', async () => {
    current = {
      ...DEAD,
      lock: { description: 'the database is locked by python3 (pid 4711)', delaysAcknowledgements: false },
    };
    await createSender().report(never);
    expect(received(/./)).toEqual([]);
  });

  test('sends in each upload interval, once more when the collector is back, and nothing else', async () => {
    const sender = createSender();
    const health = (): unknown[] => received(/health_status/).map(([at, , value]) => [at, value]);
    current = {};
    await sender.report(never);
    expect(receiver.requests).toEqual([]);
    current = DEAD;
    for (let second = 0; second <= 60; second += 10) {
      await sender.report(never);
      await clock.advance(9_999);
    }
    expect(health()).toEqual([
      [0, 2],
      [29_997, 2],
      [59_994, 2],
    ]);
    current = {};
    for (let look = 0; look < 4; look++) await sender.report(never);
    expect(health().slice(3)).toEqual([[69_993, 0]]);
    current = DEAD;
    await sender.report(never);
    expect(health().slice(4)).toEqual([[69_993, 2]]);
  });

  test('sends a component that has recovered once more, with 0', async () => {
    const sender = createSender();
    current = { ...DEAD, skewMs: 60_000 };
    await sender.report(never);
    expect(listStatuses()).toEqual(['0 clock_skewed 1', '0 no_heartbeat 2']);
    current = DEAD;
    for (let request = 0; request < 2; request++) {
      await clock.advance(UPLOAD_INTERVAL_MS);
      await sender.report(never);
    }
    expect(listStatuses().slice(2)).toEqual(['30 clock_skewed 0', '30 no_heartbeat 2', '60 no_heartbeat 2']);
    await clock.advance(UPLOAD_INTERVAL_MS);
    current = {};
    await sender.report(never);
    await sender.report(never);
    expect(listStatuses().slice(5)).toEqual(['90 no_heartbeat 0']);
  });

  test('sends a component that recovered while a request failed with the next one, with 0', async () => {
    const sender = createSender();
    current = { ...DEAD, skewMs: 60_000 };
    await sender.report(never);
    current = DEAD;
    receiver.setFaults({ status: 503, count: 1 });
    for (let request = 0; request < 2; request++) {
      await clock.advance(UPLOAD_INTERVAL_MS);
      await sender.report(never);
    }
    expect(listStatuses().slice(2)).toEqual(['60 clock_skewed 0', '60 no_heartbeat 2']);
  });

  test('leaves the components that are not ok to the collector once it is back', async () => {
    const sender = createSender();
    current = { ...DEAD, skewMs: 60_000 };
    await sender.report(never);
    await clock.advance(UPLOAD_INTERVAL_MS);
    current = { skewMs: 60_000 };
    await sender.report(never);
    expect(listStatuses().slice(2)).toEqual(['30 clock_skewed 1', '30 no_heartbeat 0']);
    // The collector has sent that the clock is right, before it ends again.
    await clock.advance(UPLOAD_INTERVAL_MS);
    current = DEAD;
    await sender.report(never);
    expect(listStatuses().slice(4)).toEqual(['60 no_heartbeat 2']);
  });

  test('waits a minute for a collector that has stored nothing since this process started', async () => {
    const sender = createSender();
    current = { ...DEAD, uptimeSeconds: 59 };
    await sender.report(never);
    expect(receiver.requests).toEqual([]);
    current = { ...DEAD, uptimeSeconds: 60 };
    await sender.report(never);
    expect(received(/health_status/)).toHaveLength(1);
  });

  test('sends the series that the collector stores, with the labels that it has now', async () => {
    stored.series('uploader.health_status', { tags: { site: 'berlin' }, deviceId: 'another' });
    stored.series('uploader.health_status', { tags: { site: 'before' } });
    stored.series('uploader.health_status', { tags: { simulated: 'true' } });
    await createSender().report(never);
    expect(received(/health_status/)[0]![1]).toBe(seriesOf('uploader_health_status', { simulated: 'true' }));
  });

  test('sends series of their own to a receiver that keeps the order of times', async () => {
    const oldestFirst = { format: 'json-lines', sendsOldestFirst: true, send: client.send.bind(client) } as const;
    await createSender({ client: oldestFirst }).report(never);
    expect(received(/health_status/)[0]![1]).toBe(
      seriesOf('uploader_health_status', { ...SITE, reported_by: 'uploader' }),
    );
  });

  test('ends series of its own with stale markers when the collector is back', async () => {
    const bodies: Buffer[] = [];
    const transport: HealthSenderOptions['transport'] = {
      format: 'remote-write-1',
      pause,
      sendOnce: ({ body }) => {
        bodies.push(Buffer.from(uncompress(body)));
        return Promise.resolve(DELIVERED);
      },
    };
    const sender = createSender({ transport, client: { sendsOldestFirst: true } });
    await sender.report(never);
    current = {};
    await sender.report(never);
    await sender.report(never);
    const countMarkers = (body: Buffer): number => body.toString('latin1').split(STALE_BITS).length - 1;
    const countSeries = (body: Buffer): number => body.toString('latin1').split('reported_by').length - 1;
    expect(bodies.map(countMarkers)).toEqual([0, countSeries(bodies[0]!)]);
    expect(bodies.map(countSeries)).toEqual([countSeries(bodies[0]!), countSeries(bodies[0]!)]);
  });

  test.each([
    ['the receiver is away', () => void state.failed('away', 'x')],
    ['the receiver refuses uploads', () => void state.failed('held', 'x')],
    ['uploads back off', () => void (pause = { ...NO_PAUSE, backoffUntil: clock.monotonic() + 1 })],
    ['no clock can be right', () => undefined, { receiverClock: { stampNow: () => undefined } }],
  ] satisfies [string, () => void, Partial<HealthSenderOptions>?][])(
    'sends nothing while %s',
    async (...[, begin, changes]) => {
      begin();
      await createSender(changes).report(never);
      expect(receiver.requests).toEqual([]);
    },
  );

  test('after a failure sends at the next look, and leaves the state of the receiver as it is', async () => {
    const sender = createSender();
    state.answered();
    receiver.setFaults({ status: 503 });
    await sender.report(never);
    expect([received(/./), state.condition, state.reason]).toEqual([[], 'taking', '']);
    receiver.setFaults([]);
    await sender.report(never);
    expect(received(/health_status/)).toHaveLength(1);
    current = {};
    receiver.setFaults({ status: 400 });
    await sender.report(never);
    receiver.setFaults([]);
    await sender.report(never);
    expect(received(/health_status/).map(([, , value]) => value)).toEqual([2, 0]);
  });
});

function seriesOf(name: string, labels: Record<string, string> = {}): string {
  return canonicalTags({ __name__: name, device_id: 'board-1', ...labels });
}
