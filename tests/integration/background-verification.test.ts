import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';
import { openDatabase } from '@thugshells/shared/database/open.ts';

import type { HealthReport } from '../../uploader/src/health/health-report.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { fillDatabase } from '../support/fill-database.ts';
import { Prometheus } from '../support/prometheus.ts';
import { findDifferences, readBooks, readStoredPoints, toStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type ExportedSeries } from '../support/victoria-metrics.ts';

const SAMPLES = 3_000;
const SERIES = 30;
const ENOUGH_MS = 150_000;
const DAY_MS = 86_400_000;

interface Delivery {
  readonly message: string;
  readonly details: Readonly<Record<'missing' | 'requeued' | 'reverified' | 'missing_again' | 'foreign', number>> & {
    readonly verified_through?: string;
  };
}

/** A database with samples, and an uploader that verifies every second what was delivered at once. */
class Device {
  readonly folder = mkdtempSync(join(tmpdir(), 'background-'));
  readonly database = join(this.folder, 'metrics.db');
  uploader: AgentProcess | undefined;

  constructor() {
    fillDatabase(this.database, { samples: SAMPLES, series: SERIES, deviceId: 'board-1' });
  }

  upload(remoteUrl: string, more: Record<string, string> = {}): void {
    this.uploader = new AgentProcess('uploader', {
      THUGSHELLS_DB_PATH: this.database,
      THUGSHELLS_DEVICE_ID: 'board-1',
      THUGSHELLS_REMOTE_URL: remoteUrl,
      THUGSHELLS_UPLOAD_INTERVAL: '500ms',
      THUGSHELLS_REPLAY_WINDOW: '0',
      THUGSHELLS_VERIFY_INTERVAL: '1s',
      THUGSHELLS_HEALTH_PORT: '0',
      ...more,
    });
  }

  async remove(): Promise<void> {
    await this.uploader?.stop();
    rmSync(this.folder, { recursive: true });
  }

  /** Moves the times of rows from an id on. */
  shift(firstId: number, offsetMs: number): void {
    const opened = openDatabase(this.database);
    opened
      .prepare(`INSERT OR REPLACE INTO epochs (first_id, offset_ms, trusted, reason) VALUES (?, ?, 2, 'test')`)
      .run(firstId, offsetMs);
    opened.close();
  }

  /** Waits until the last sample is verified and nothing is pending; returns the component. */
  async untilVerified(what: string, isEnough: (delivery: Delivery) => boolean = () => true): Promise<Delivery> {
    const newestMs = Math.max(...readStoredPoints(this.database).map(({ timestampMs }) => timestampMs));
    return until(
      what,
      async () => {
        const delivery = await this.#readDelivery();
        if (delivery === undefined || readBooks(this.database).pending > 0 || !isEnough(delivery)) return undefined;
        return Date.parse(delivery.details.verified_through ?? '') >= newestMs ? delivery : undefined;
      },
      ENOUGH_MS,
    );
  }

  /** Waits until the receiver has every sample of the database. */
  async untilComplete(what: string, receiver: { export(): Promise<readonly ExportedSeries[]> }): Promise<void> {
    const points = readStoredPoints(this.database);
    const isComplete = async (): Promise<boolean> =>
      findDifferences(points, toStoredPoints(await receiver.export())).length === 0;
    await until(what, isComplete, ENOUGH_MS);
  }

  async #readDelivery(): Promise<Delivery | undefined> {
    const endpoint = this.uploader?.endpoint();
    if (endpoint === undefined) return undefined;
    const response = await fetch(new URL('/health', endpoint), { headers: { connection: 'close' } });
    return ((await response.json()) as HealthReport).components['delivery'] as Delivery | undefined;
  }
}

async function withDevice(use: (device: Device) => Promise<void>): Promise<void> {
  const device = new Device();
  try {
    await use(device);
  } finally {
    await device.remove();
  }
}

// At once: they wait most of the time.
describe('background verification:', () => {
  test.concurrent(
    'of VictoriaMetrics, healthy, with deleted series and with an older copy of its storage',
    () =>
      withDevice(async (device) => {
        device.shift(1, -60_000);
        const dir = join(device.folder, 'storage');
        const server = await startVictoriaMetrics({ dir });
        try {
          await server.kill('SIGTERM');
          cpSync(dir, `${dir}.copy`, { recursive: true });
          await server.restart();
          device.upload(`${server.url}/api/v1/import`);
          const healthy = await device.untilVerified('everything is verified');
          expect(healthy.details).toMatchObject({ missing: 0, requeued: 0, foreign: 0 });
          const selection = new URLSearchParams({ 'match[]': '{place=~"7|13"}' });
          await fetch(`${server.url}/api/v1/admin/tsdb/delete_series`, { method: 'POST', body: selection });
          const deleted = (2 * SAMPLES) / SERIES;
          const found = await device.untilVerified('they are requeued', ({ details }) => details.requeued > 0);
          expect(found.details).toMatchObject({ missing: deleted, requeued: deleted });
          expect(found.message).toContain('missing at the receiver, requeued');
          await device.untilComplete('deleted series are there again', server);
          await server.kill('SIGTERM');
          rmSync(dir, { recursive: true });
          cpSync(`${dir}.copy`, dir, { recursive: true });
          await server.restart();
          await device.untilComplete('all is there again', server);
          expect(device.uploader!.told('fewer samples at receiver, verifying anew')).not.toEqual([]);
          expect(readBooks(device.database)).toMatchObject({ pending: 0, delivered: SAMPLES, rejected: 0, dropped: 0 });
        } finally {
          await server.stop();
        }
      }),
    2 * ENOUGH_MS,
  );

  test.concurrent(
    'of what is older than the retention sends nothing again, and a few times what a relabeling rule drops',
    () =>
      withDevice(async (device) => {
        device.shift(1, -3 * DAY_MS);
        device.shift(SAMPLES / 2 + 1, -60_000);
        const rules = join(device.folder, 'relabel.yml');
        writeFileSync(rules, '- action: drop\n  source_labels: [place]\n  regex: "7"\n');
        const server = await startVictoriaMetrics({ flags: [`-relabelConfig=${rules}`, '-retentionPeriod=1d'] });
        try {
          device.upload(`${server.url}/api/v1/import`);
          const dropped = SAMPLES / 2 / SERIES;
          const found = await device.untilVerified('it was in vain', ({ details }) => details.missing_again > 0);
          expect(found.details).toMatchObject({
            missing: dropped,
            requeued: 4 * dropped,
            missing_again: dropped,
            reverified: 0,
          });
          expect(found.message).toContain('relabeling rules');
          // A run may begin while only some of them are delivered.
          const told = device.uploader!.told('samples missing at receiver');
          expect(told.every(({ level }) => level === 'warn')).toBe(true);
          expect(Number(told[0]!['count'])).toBeLessThanOrEqual(dropped);
        } finally {
          await server.stop();
        }
      }),
    2 * ENOUGH_MS,
  );

  test.concurrent(
    'of Prometheus, healthy and with its folder emptied',
    () =>
      withDevice(async (device) => {
        device.shift(1, -60_000);
        const prometheus = await Prometheus.start('1d');
        try {
          device.upload(`${prometheus.url}/api/v1/write`, { THUGSHELLS_REMOTE_PROTOCOL: 'remote-write' });
          const healthy = await device.untilVerified('everything is verified');
          expect(healthy.details).toMatchObject({ missing: 0, requeued: 0, foreign: 0 });
          await prometheus.empty('1d');
          await device.untilComplete('all is there again', prometheus);
          const found = await device.untilVerified('all is verified', ({ details }) => details.reverified > 0);
          expect(found.details).toMatchObject({ missing: SAMPLES, reverified: SAMPLES, missing_again: 0 });
        } finally {
          await prometheus.stop();
        }
      }),
    2 * ENOUGH_MS,
  );
});
