import { join } from 'node:path';

import { systemClock } from '@thugshells/shared/clock.ts';
import type { JournalEntry } from '@thugshells/shared/logging/journal.ts';
import { ValueType } from '@thugshells/shared/metrics/sample.ts';

import { HealthMonitor } from '../../../uploader/src/health/monitor.ts';
import { HistoryThread } from '../../../uploader/src/http/page/history-thread.ts';
import { StatusServer } from '../../../uploader/src/http/server.ts';
import { createStatusKey } from '../../../uploader/src/http/status-proof.ts';
import type { Snapshot } from '../../../uploader/src/telemetry/snapshot.ts';
import { LogRecord } from './log-record.ts';
import { collectorRow, JOURNALS, LIMITS, NOW, snapshot } from './made-snapshot.ts';
import { StoredSamples } from './stored-samples.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const root = join(import.meta.dirname, '../../..');

/** A state that the status page can be in. */
export interface PageState {
  readonly snapshot: Partial<Snapshot>;
  /** How far back the stored samples go. */
  readonly historyMs: number;
  /** How long ago the newest sample was stored. */
  readonly silentMs?: number;
  /** Series that do not have their usual values. */
  readonly values?: Readonly<Record<string, number>>;
  /** Whether the uploader ends while the page is open. */
  readonly becomesStale?: true;
}

const DEAD_MS = 5 * MINUTE_MS;
const COLLECTORS = [
  ...['cpu', 'disk', 'filesystem', 'link', 'load', 'memory', 'network', 'self', 'system', 'temperature', 'textfile'],
];
const collectors = COLLECTORS.map((name) => collectorRow(name));
const nothing = { collected: 0, delivered: 0, pending: 0, rejected: 0, dropped: 0 };
const usual = { collected: 1_234_567, delivered: 1_234_447, pending: 120, rejected: 0, dropped: 0 };
const lastDelivery = { atMs: NOW - 7_000, count: 177, bytesSent: 2_900 };
const uploads = [7, 37, 67, 97, 127, 157].map((seconds) => ({
  ...{ atMs: NOW - seconds * 1_000, samples: 177, bytes: 2_900, outcome: 'delivered' as const, reason: '', times: 1 },
}));
const ok: Partial<Snapshot> = {
  collectors,
  books: usual,
  oldestPendingMs: NOW - 7_000,
  databaseBytes: 57_000_000,
  walBytes: 280_000,
  receiver: { condition: 'taking', reason: '', sinceMs: NOW - HOUR_MS, lastDelivery },
  uploads,
  sentPerDay: 9e6,
};
const REFUSED = 'connect ECONNREFUSED 203.0.113.7:8428';

function awayWarning(sinceMs: number, reason: string, times = 84): JournalEntry {
  return {
    ...{ id: 1, sinceMs, atMs: NOW - 4_000, level: 'warn', times, message: 'upload failed, will retry' },
    fields: { endpoint: 'https://***@metrics.example.org/api/v1/import', error: reason },
  };
}

/** A receiver that has not accepted anything for some minutes. */
function outage(condition: 'away' | 'held', reason: string, minutes: number): Partial<Snapshot> {
  const sinceMs = NOW - minutes * MINUTE_MS;
  const last = { ...lastDelivery, atMs: sinceMs };
  const failed = { atMs: NOW - 4_000, samples: 0, bytes: 0, outcome: 'failed' as const, reason, times: 84 };
  return {
    ...ok,
    books: { ...usual, delivered: usual.delivered - 4_880, pending: 5_000 },
    oldestPendingMs: sinceMs,
    receiver: { condition, reason, sinceMs, nextAttemptAtMs: NOW + 26_000, lastDelivery: last },
    lastDeliveryAgeMs: minutes * MINUTE_MS,
    journals: { collector: JOURNALS.collector, uploader: [awayWarning(sinceMs, reason)] },
    uploads: [failed, ...uploads.slice(0, 3).map((each) => ({ ...each, atMs: each.atMs - minutes * MINUTE_MS }))],
    drain: { done: 0, secondsLeft: undefined },
  };
}

const young = { startedAtMs: NOW - 4_000, uptimeSeconds: 4, lastDeliveryAgeMs: undefined, uploads: [] };

/** The states in which people see the page. */
export const PAGE_STATES = {
  starting: {
    snapshot: {
      ...{ ...young, collectors: [], books: nothing, oldestPendingMs: undefined, heartbeatMs: 0, skewMs: undefined },
      receiver: { condition: 'unknown', reason: '', sinceMs: NOW - 4_000, lastDelivery: undefined },
    },
    historyMs: 0,
  },
  ok: { snapshot: ok, historyMs: HOUR_MS },
  'backlog draining': {
    snapshot: {
      ...ok,
      books: { ...usual, delivered: 1_200_447, pending: 34_120 },
      oldestPendingMs: NOW - 2 * HOUR_MS,
      drain: { done: 0.8349, secondsLeft: 75 },
    },
    historyMs: HOUR_MS,
  },
  'receiver away': { snapshot: outage('away', REFUSED, 42), historyMs: HOUR_MS },
  'credentials refused': { snapshot: outage('held', 'HTTP 401: Unauthorized', 42), historyMs: HOUR_MS },
  'collector dead': {
    snapshot: {
      ...ok,
      journals: JOURNALS,
      oldestPendingMs: undefined,
      books: { ...usual, delivered: usual.collected, pending: 0 },
      receiver: {
        condition: 'taking',
        reason: '',
        sinceMs: NOW - HOUR_MS,
        lastDelivery: { ...lastDelivery, atMs: NOW - DEAD_MS },
      },
      lastDeliveryAgeMs: DEAD_MS,
      uploads: uploads.map((each) => ({ ...each, atMs: each.atMs - DEAD_MS })),
      heartbeatMs: NOW - DEAD_MS,
      heartbeatAgeMs: DEAD_MS,
      collectors: COLLECTORS.map((name) =>
        collectorRow(name, { lastScrapeMs: NOW - DEAD_MS, lastScrapeAgeMs: DEAD_MS }),
      ),
    },
    historyMs: HOUR_MS,
    silentMs: DEAD_MS,
  },
  'clock wrong': {
    snapshot: {
      ...ok,
      books: { ...usual, delivered: usual.delivered - 4_321, pending: usual.pending + 4_321 },
      oldestPendingMs: NOW - 2 * HOUR_MS,
      skewMs: -3.2 * 24 * HOUR_MS,
      held: { count: 4_321, reason: 'the clock differs from the receiver’s by more than a day' },
    },
    historyMs: HOUR_MS,
    values: { 'system.clock_synchronized': 0 },
  },
  stale: { snapshot: ok, historyMs: HOUR_MS, becomesStale: true },
  young: {
    snapshot: {
      ...{ ...ok, startedAtMs: NOW - 3 * MINUTE_MS, uptimeSeconds: 180, lastDeliveryAgeMs: undefined },
      ...{
        skewMs: undefined,
        sentPerDay: undefined,
        journals: { collector: [], uploader: [awayWarning(NOW - 9_000, REFUSED, 2)] },
      },
      receiver: {
        condition: 'away',
        reason: REFUSED,
        sinceMs: NOW - 9_000,
        nextAttemptAtMs: NOW + 6_000,
        lastDelivery: undefined,
      },
      ...{ books: { ...nothing, collected: 1_062, pending: 1_062 }, oldestPendingMs: NOW - 3 * MINUTE_MS, uploads: [] },
    },
    historyMs: 3 * MINUTE_MS,
  },
  '72 h': { snapshot: ok, historyMs: 72 * HOUR_MS },
} satisfies Readonly<Record<string, PageState>>;

export type PageStateName = keyof typeof PAGE_STATES;

/** A status server that shows a device in one of the states, with the history of a database. */
export class PageServer {
  readonly #stored = new StoredSamples();
  readonly #history: HistoryThread;
  readonly #server: StatusServer;
  url = '';

  constructor(state: PageState) {
    const changes = state.snapshot;
    storeHistory(this.#stored, state);
    const logger = new LogRecord();
    this.#history = new HistoryThread({
      clock: systemClock,
      databasePath: this.#stored.path,
      workerFile: join(root, 'uploader/dist/history-worker.js'),
      nowMs: () => NOW,
    });
    const monitor = new HealthMonitor({
      logger,
      snapshots: { take: () => snapshot(changes) },
      limits: LIMITS,
      version: '1.2.3',
      deviceId: 'gateway-0042',
      configurationWarnings: [],
      remoteUrl: 'https://device:secret@metrics.example.org/api/v1/import',
    });
    this.#server = new StatusServer({
      ...{ logger, monitor, history: this.#history, statusKey: createStatusKey(), isLive: () => true },
      metrics: () => Promise.reject(new Error('not part of the page')),
    });
  }

  async listen(): Promise<void> {
    this.url = `http://127.0.0.1:${await this.#server.listen('127.0.0.1', 0)}/`;
  }

  /** Ends the server, and leaves the database. */
  async end(): Promise<void> {
    await this.#server.close();
  }

  async remove(): Promise<void> {
    await this.end();
    await this.#history.close();
    this.#stored.remove();
  }
}

/** The values of a series some seconds before NOW. */
type Curve = (secondsAgo: number) => number;

const wave = (mean: number, swing: number, periodS: number): Curve => {
  return (secondsAgo) => mean * (1 + swing * Math.sin((2 * Math.PI * secondsAgo) / periodS));
};
const counter = (perSecond: number): Curve => {
  return (secondsAgo) => Math.round(1e9 - perSecond * secondsAgo + perSecond * 90 * Math.sin(secondsAgo / 300));
};

const SERIES: readonly (readonly [name: string, tags: Readonly<Record<string, string>>, curve: Curve])[] = [
  ['cpu.usage_percent', { core: 'all' }, wave(24, 0.8, 900)],
  ...[0, 1, 2, 3].map((core) => ['cpu.usage_percent', { core: `${core}` }, wave(20 + core, 0.8, 700 + core)] as const),
  ['memory.used_bytes', {}, wave(1.5e9, 0.2, 4_000)],
  ['memory.available_bytes', {}, wave(2.4e9, -0.1, 4_000)],
  ['cpu.temperature_celsius', { zone: 'soc-thermal' }, wave(57, 0.1, 1_300)],
  ['cpu.temperature_celsius', { zone: 'gpu-thermal' }, wave(48, 0.1, 900)],
  ['network.rx_bytes_total', { interface: 'eth0' }, counter(86_000)],
  ['network.tx_bytes_total', { interface: 'eth0' }, counter(28_000)],
  ['network.rx_bytes_total', { interface: 'wwan0' }, counter(900)],
  ['network.tx_bytes_total', { interface: 'wwan0' }, counter(300)],
  ['disk.read_bytes_per_second', { device: 'mmcblk0' }, wave(180_000, 0.9, 1_100)],
  ['disk.write_bytes_per_second', { device: 'mmcblk0' }, wave(150_000, 0.9, 500)],
  ...['/', '/data', '/boot/firmware'].map(
    (mountpoint, index) =>
      ['filesystem.available_bytes', { mountpoint, fstype: 'ext4' }, wave(3e9 / (index + 1), 0.05, 40_000)] as const,
  ),
  ...['/', '/data', '/boot/firmware'].map(
    (mountpoint) => ['filesystem.size_bytes', { mountpoint, fstype: 'ext4' }, () => 8e9] as const,
  ),
  ['filesystem.readonly', { mountpoint: '/boot/firmware', fstype: 'ext4' }, () => 1],
  ['network.up', { interface: 'eth0' }, () => 0],
  ['network.up', { interface: 'wwan0' }, () => 1],
  ['network.info', { interface: 'wwan0', kind: 'wwan' }, () => 1],
  ['network.up', { interface: 'wlan0' }, () => 1],
  ['network.info', { interface: 'wlan0', kind: 'wlan' }, () => 1],
  ['network.wireless_signal_dbm', { interface: 'wlan0' }, () => -61],
  ['network.default_route', { interface: 'wwan0' }, () => 1],
  ['system.uptime_seconds', {}, (secondsAgo) => 273_000 - secondsAgo],
  ['cpu.throttled', { reason: 'under-voltage' }, () => 1],
  ['system.clock_synchronized', {}, () => 1],
  ['load.average_1m', {}, wave(1.4, 0.5, 1_700)],
  ['storage.metrics_pending_upload', {}, (secondsAgo) => Math.round(Math.max(0, wave(60, 1, 600)(secondsAgo)))],
];

const TEXTS: Readonly<Record<string, string>> = {
  'system.model': 'Raspberry Pi 4 Model B Rev 1.4',
  'system.os_release': 'Debian GNU/Linux 13 (trixie)',
  'system.kernel': '6.12.25+rpt-rpi-v8',
  'system.architecture': 'aarch64',
  'system.time_zone': 'Europe/Berlin',
};

/** Stores a scrape of all series every ten seconds, or so rarely that there are two thousand of them. */
function storeHistory(stored: StoredSamples, { historyMs, silentMs = 1_000, values = {} }: PageState): void {
  const ids = SERIES.map(([name, tags]) => stored.series(name, { tags }));
  const stepMs = Math.max(10_000, historyMs / 2_000);
  stored.database.transaction(() => {
    for (let agoMs = historyMs; agoMs >= silentMs; agoMs -= stepMs)
      SERIES.forEach(([name, , curve], index) =>
        stored.add(ids[index]!, NOW - Math.round(agoMs), values[name] ?? curve(agoMs / 1_000)),
      );
    if (historyMs === 0) return;
    for (const [name, text] of Object.entries(TEXTS))
      stored.add(stored.series(name, { valueType: ValueType.text }), NOW - silentMs, text);
  })();
}
