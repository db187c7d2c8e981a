import type { Clock } from '@thugshells/shared/clock.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { migrate } from '@thugshells/shared/database/migrate.ts';
import { Journal } from '@thugshells/shared/logging/journal.ts';
import { createCounters } from '@thugshells/shared/state/collector-status.ts';

import { ClockEpochs, readInstant } from '../../collector/src/store/clock/clock-epochs.ts';
import { CollectorStatusTable } from '../../collector/src/store/status/collector-status.ts';
import { JournalTable } from '../../collector/src/store/status/journal-table.ts';
import { SampleWriter } from '../../collector/src/store/writing/sample-writer.ts';
import { Admission } from '../../collector/src/store/writing/admission.ts';
import { Ledger } from '../../collector/src/store/space/ledger.ts';
import { createUploader, openQueue, type Queue, type Uploader } from '../../uploader/src/agent.ts';
import type { ReceiverClock } from '../../uploader/src/clock/receiver-clock.ts';
import { HttpTransport } from '../../uploader/src/transport/http-transport.ts';
import { VictoriaMetricsProtocol } from '../../uploader/src/transport/victoriametrics.ts';
import { RecordedLog } from './recorded-log.ts';
import { directConnection } from './uploader/direct-connection.ts';
import { TEST_CONFIG, WORKER_FILE } from './uploader/running-uploads.ts';

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
  readonly #queue: Queue;
  readonly #uploader: Uploader;
  readonly #client: HttpTransport;
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
      journal: new JournalTable(database, { clock, logger, journal: new Journal(clock) }),
      syncIntervalMs: 30_000,
    });
    const remoteUrl = `${remoteOrigin}/api/v1/import`;
    const config = { ...TEST_CONFIG, dbPath: path, remoteUrl, replayWindowMs: 0, clockSkewPolicy: policy };
    const context = { clock, logger, config };
    this.#queue = openQueue(database, context);
    const protocol = new VictoriaMetricsProtocol();
    this.#client = new HttpTransport({ clock, protocol, remoteUrl, remoteTimeoutMs: 20_000, ...directConnection });
    this.#uploader = createUploader(this.#queue, {
      ...context,
      client: this.#client,
      bootId,
      builtAtMs: Date.now() - 86_400_000,
      encodeWorkerFile: WORKER_FILE,
      isLinkUp: () => true,
      random: () => 0.5,
      firstCycleInMs: 0,
      onAttempt: () => undefined,
      stop: never,
    });
    this.skew = this.#uploader.receiverClock;
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
      ...createCounters(),
    } as const;
    this.#writer.commit([{ at, samples, status }]);
  }

  /** What the uploader does at start and in each interval. @throws Error if the receiver accepts nothing */
  async upload(): Promise<void> {
    if (!(await this.attemptUpload())) throw new Error(this.#uploader.receiver.reason);
  }

  /** The same; returns whether the receiver accepted what is not held. */
  async attemptUpload(): Promise<boolean> {
    const { prober, encoder, sender } = this.#uploader;
    const { backlog, untimedRows } = this.#queue;
    await prober.measure(never);
    await untimedRows.reject(never);
    for (let ranges = backlog.findSendable([]); ranges.length > 0; ranges = backlog.findSendable([])) {
      const batch = await encoder.encode({ ranges, batchMetrics: 100, chunkMetrics: 100, format: 'json-lines' });
      const { isOver } = await sender.send(batch, never, never);
      sender.commit();
      if (isOver) return false;
    }
    return true;
  }

  get pending(): number {
    return this.#queue.backlog.readBooks().pending;
  }

  get rejected(): number {
    return this.#queue.backlog.readBooks().rejected;
  }

  async close(): Promise<void> {
    await this.#uploader.encoder.close();
    this.#client.close();
    this.database.close();
  }
}
