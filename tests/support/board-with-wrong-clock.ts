import { join } from 'node:path';

import type { Clock } from '@thugshells/shared/clock.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { migrate } from '@thugshells/shared/database/migrate.ts';

import { ClockEpochs, readInstant } from '../../collector/src/store/clock/clock-epochs.ts';
import { CollectorStatusTable, noCounters } from '../../collector/src/store/status/collector-status.ts';
import { SampleWriter } from '../../collector/src/store/writing/sample-writer.ts';
import { Admission } from '../../collector/src/store/writing/admission.ts';
import { Ledger } from '../../collector/src/store/space/ledger.ts';
import { Acknowledgements } from '../../uploader/src/queue/acknowledgements.ts';
import { Backlog } from '../../uploader/src/queue/backlog.ts';
import { ReceiverClock } from '../../uploader/src/clock/receiver-clock.ts';
import { EncoderPool } from '../../uploader/src/encoding/encoder-pool.ts';
import { UntimedRows } from '../../uploader/src/queue/untimed-rows.ts';
import { ReceiverClockProber } from '../../uploader/src/clock/receiver-clock-prober.ts';
import { ReceiverClockTable } from '../../uploader/src/clock/receiver-clock-table.ts';
import { SettledRanges } from '../../uploader/src/queue/settled-ranges.ts';
import { HttpTransport } from '../../uploader/src/transport/http-transport.ts';
import { VictoriaMetricsProtocol } from '../../uploader/src/transport/victoriametrics.ts';
import { RecordedLog } from './recorded-log.ts';
import { directConnection } from './uploader/direct-connection.ts';

const WORKER_FILE = join(import.meta.dirname, '../../uploader/src/encoding/encode-worker.ts');
const GAUGE = { name: 'test.turn', kind: 'gauge', unit: 'none', help: 'A test’s.', priority: 1 } as const;
const never = new AbortController().signal;

/** The machine's own clocks, but that the wall clock is wrong, and can be set; and that the machine can be suspended. */
export class WrongClock implements Clock {
  offsetMs: number;
  #suspendedMs = 0;
  readonly #bootedAtMs = performance.now() - 60_000;

  constructor(offsetMs: number) {
    this.offsetMs = offsetMs;
  }

  now(): number {
    return Date.now() + this.offsetMs;
  }

  monotonic(): number {
    return performance.now() - this.#suspendedMs;
  }

  sinceBoot(): number {
    return performance.now() - this.#bootedAtMs;
  }

  async sleep(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** As if the machine had been suspended for the last so many milliseconds: time has passed, the monotonic clock has not. */
  hasBeenSuspended(ms: number): void {
    this.#suspendedMs += ms;
  }
}

/** The rooms of both programs that have to do with time, on one database, against a real receiver; only the clock is not real. */
export class BoardWithWrongClock {
  readonly clock: WrongClock;
  readonly database: Database;
  readonly log = new RecordedLog();
  readonly skew: ReceiverClock;
  readonly #writer: SampleWriter;
  readonly #admission = new Admission({ deviceId: 'b1', labels: {}, remoteProtocol: 'victoriametrics' });
  readonly #settled: SettledRanges;
  readonly #backlog: Backlog;
  readonly #acknowledgements: Acknowledgements;
  readonly #prober: ReceiverClockProber;
  readonly #encoder: EncoderPool;
  readonly #remote: HttpTransport;
  /** True time of each sample, Unix milliseconds → its value. */
  readonly truth = new Map<number, number>();

  constructor(options: {
    path: string;
    remoteOrigin: string;
    offsetMs: number;
    bootId: string;
    policy?: 'hold' | 'correct';
  }) {
    const { path, remoteOrigin, offsetMs, bootId, policy = 'hold' } = options;
    const clock = (this.clock = new WrongClock(offsetMs));
    const logger = this.log;
    const database = (this.database = openDatabase(path, { create: true }));
    migrate(database);
    const epochs = new ClockEpochs(database, { clock, logger, bootId, builtAtMs: Date.now() - 86_400_000 });
    const statuses = new CollectorStatusTable(database);
    this.#writer = new SampleWriter(database, {
      clock,
      epochs,
      ledger: new Ledger(database),
      statuses,
      syncIntervalMs: 30_000,
    });
    this.#settled = new SettledRanges(database);
    this.#backlog = new Backlog(database, this.#settled);
    this.#acknowledgements = new Acknowledgements(database, this.#settled, { clock, replayWindowMs: 0 });
    const remoteUrl = `${remoteOrigin}/api/v1/import`;
    this.#remote = new HttpTransport({
      protocol: new VictoriaMetricsProtocol(),
      clock,
      remoteUrl,
      remoteTimeoutMs: 20_000,
      ...directConnection,
    });
    const table = new ReceiverClockTable(database, bootId);
    this.skew = new ReceiverClock({
      clock,
      logger,
      table,
      clockSkewWarnMs: 2_000,
      clockSkewPolicy: policy,
    });
    this.#prober = new ReceiverClockProber({
      clock,
      logger,
      receiverClock: this.skew,
      clockSkewIntervalMs: 300_000,
      requestDate: () => this.#remote.requestDate(`${remoteOrigin}/health`, never),
    });
    const receiverNow = (): number | undefined => this.skew.receiverNow();
    this.#encoder = new EncoderPool({ receiverNow, databasePath: path, workerFile: WORKER_FILE });
  }

  /** One scrape of one series, now. */
  async scrape(): Promise<void> {
    await this.clock.sleep(20);
    const at = readInstant(this.clock);
    const value = this.truth.size + 1;
    this.truth.set(Date.now(), value);
    const { samples } = this.#admission.admit([{ series: GAUGE, labels: {}, value }], Date.now());
    const status = {
      collector: 'test',
      status: 'ok',
      message: '',
      sinceMs: 0,
      intervalMs: 1_000,
      lastScrapeMs: 0,
      durationMs: 1,
      ...noCounters(),
    } as const;
    this.#writer.commit([{ at, samples, status }]);
  }

  /** What the uploader does at start and in each interval. */
  async upload(): Promise<void> {
    await this.#prober.measure(never);
    await new UntimedRows({
      clock: this.clock,
      logger: this.log,
      database: this.database,
      settled: this.#settled,
    }).reject(never);
    for (let pending = this.#backlog.findSendable([]); pending.length > 0; pending = this.#backlog.findSendable([])) {
      const { chunks, refused } = await this.#encoder.encode({
        ranges: pending,
        batchMetrics: 100,
        chunkMetrics: 100,
        format: 'json-lines',
      });
      this.#acknowledgements.reject(refused);
      for (const chunk of chunks) {
        const result = await this.#remote.send(chunk, never);
        if (result.outcome.kind !== 'delivered') throw new Error(JSON.stringify(result));
        this.skew.learnFrom(result);
        const { ranges, count } = chunk;
        const accepted = { batchId: crypto.randomUUID(), chunkIndex: 0, ranges, count };
        this.#acknowledgements.recordResponse({ connection: undefined, isClosing: false, accepted });
      }
      this.#acknowledgements.commit();
    }
  }

  get pending(): number {
    return this.#backlog.readBooks().pending;
  }

  get rejected(): number {
    return this.#backlog.readBooks().rejected;
  }

  async close(): Promise<void> {
    await this.#encoder.close();
    this.#remote.close();
    this.database.close();
  }
}
