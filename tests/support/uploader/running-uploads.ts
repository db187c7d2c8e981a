import { join } from 'node:path';

import { startReceiver, type Receiver } from '../../receiver/src/server.ts';
import { Acknowledgements } from '../../../uploader/src/queue/acknowledgements.ts';
import { Backlog, type Books } from '../../../uploader/src/queue/backlog.ts';
import { ChunkSize } from '../../../uploader/src/delivery/chunk-size.ts';
import { DatabaseWatch } from '../../../uploader/src/queue/database-watch.ts';
import { BatchSender } from '../../../uploader/src/delivery/batch-sender.ts';
import { EncoderPool } from '../../../uploader/src/encoding/encoder-pool.ts';
import { ConnectionLoss } from '../../../uploader/src/delivery/connection-loss.ts';
import { ReceiverProbe } from '../../../uploader/src/delivery/receiver-probe.ts';
import { RateLimiter } from '../../../uploader/src/delivery/rate-limiter.ts';
import { ReceiverState } from '../../../uploader/src/delivery/receiver-state.ts';
import { RetryingTransport } from '../../../uploader/src/transport/retrying-transport.ts';
import { SettledRanges } from '../../../uploader/src/queue/settled-ranges.ts';
import type { SendResult } from '../../../uploader/src/transport/transport.ts';
import { UploadLoop } from '../../../uploader/src/delivery/upload-loop.ts';
import { HttpTransport } from '../../../uploader/src/transport/http-transport.ts';
import { VictoriaMetricsProtocol } from '../../../uploader/src/transport/victoriametrics.ts';
import { FakeClock } from '../fake-clock.ts';
import { directConnection } from './direct-connection.ts';
import { until } from '../until.ts';
import { LogRecord } from './log-record.ts';
import { StoredSamples } from './stored-samples.ts';

/** The built worker: threads run JavaScript. */
export const WORKER_FILE = join(import.meta.dirname, '../../../uploader/src/encoding/encode-worker.ts');

export interface UploadSettings {
  readonly batchMetrics?: number;
  readonly chunkMetrics?: number;
  readonly uploadIntervalMs?: number;
  readonly replayWindowMs?: number;
  readonly remoteTimeoutMs?: number;
  /** Tries of one chunk within a pass; 1 where the test is about passes. */
  readonly attempts?: number;
  readonly probeIntervalMs?: number;
  readonly chunkGrowth?: boolean;
  readonly chunkMaxBytes?: number;
  /** Bytes a second for the backlog. */
  readonly uploadMaxRate?: number;
  readonly sendsOldestFirst?: boolean;
  /** Sees each post. */
  readonly onPost?: (post: SendResult) => void;
}

/** The upload loop with everything it needs: database, worker thread, HTTP and receiver are real, only time is not. */
export class RunningUploads {
  readonly stored = new StoredSamples();
  readonly clock: FakeClock;
  readonly log = new LogRecord();
  readonly receiver: Receiver;
  readonly state: ReceiverState;
  readonly loop: UploadLoop;
  readonly #settings: Required<Omit<UploadSettings, 'onPost'>>;
  readonly #backlog: Backlog;
  readonly #encoder: EncoderPool;
  readonly #remote: HttpTransport;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  private constructor(receiver: Receiver, clock: FakeClock, { onPost = () => undefined, ...settings }: UploadSettings) {
    const logger = this.log;
    this.clock = clock;
    this.receiver = receiver;
    this.state = new ReceiverState(clock, logger);
    this.#settings = {
      ...{ batchMetrics: 2_500, chunkMetrics: 50, uploadIntervalMs: 30_000, replayWindowMs: 15_000 },
      ...{ remoteTimeoutMs: 20_000, attempts: 1, probeIntervalMs: 0 },
      ...{ chunkGrowth: true, chunkMaxBytes: 256 * 1024, uploadMaxRate: 0, sendsOldestFirst: false },
      ...settings,
    };
    const settled = new SettledRanges(this.stored.database);
    const acknowledgements = new Acknowledgements(this.stored.database, settled, { clock, ...this.#settings });
    this.#backlog = new Backlog(this.stored.database, settled);
    this.#encoder = new EncoderPool({
      receiverNow: () => clock.now(),
      databasePath: this.stored.path,
      workerFile: WORKER_FILE,
    });
    this.#remote = new HttpTransport({
      protocol: new VictoriaMetricsProtocol(),
      clock,
      remoteUrl: `${receiver.url}/api/v1/import`,
      ...directConnection,
      ...this.#settings,
    });
    const lost = new ConnectionLoss({ logger, acknowledgements, receiverCheck: this.#remote, stop: this.#stop.signal });
    this.#remote.onConnectionClosed((connection) => void lost.onConnectionClosed(connection));
    const policy = { initialMs: 5_000, multiplier: 3, maxMs: 60_000, jitter: 0 };
    const { attempts } = this.#settings;
    const transport = new RetryingTransport(this.#remote, {
      clock,
      logger,
      policy,
      attempts,
      isLongAway: () => this.state.isLongAway,
      onAttempt: onPost,
      random: () => 0.5,
      stop: this.#stop.signal,
    });
    const chunkSize = new ChunkSize(this.#settings);
    const rooms = {
      backlog: this.#backlog,
      acknowledgements,
      encoder: this.#encoder,
      receiverCheck: this.#remote,
      chunkSize,
    };
    const watch = new DatabaseWatch(this.stored.database, { path: this.stored.path, clock, logger });
    const delivery = new BatchSender({
      clock,
      logger,
      receiver: this.state,
      receiverClock: { learnFrom: () => undefined },
      transport,
      ...rooms,
    });
    const probe = new ReceiverProbe({
      clock,
      receiver: this.state,
      isLinkUp: () => true,
      random: () => 0.5,
      ...rooms,
      ...this.#settings,
    });
    const rateLimit = new RateLimiter(clock, this.#settings.uploadMaxRate);
    this.loop = new UploadLoop({
      clock,
      logger,
      watch,
      delivery,
      transport,
      probe,
      rateLimit,
      firstCycleInMs: 0,
      ...rooms,
      ...this.#settings,
    });
  }

  static async prepare(settings: UploadSettings = {}): Promise<RunningUploads> {
    const clock = new FakeClock();
    return new RunningUploads(await startReceiver({ now: () => clock.now() }), clock, settings);
  }

  /** Starts the loop. */
  start(): void {
    this.#running = this.loop.run(this.#stop.signal);
  }

  /** Runs the loop until it waits; the first call starts it. */
  async pass(): Promise<void> {
    if (this.#running === undefined) this.start();
    else await this.clock.advance(this.clock.nextWakeMs ?? 0);
    await this.waits();
  }

  /** Waits until the loop waits for the clock. */
  async waits(): Promise<void> {
    await until('the upload loop waits', () => this.clock.sleeping > 0);
  }

  /** Tells the loop to stop; the promise ends with it. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Ends and removes everything. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.receiver.stop();
    await this.#running;
    this.#remote.close();
    await this.#encoder.close();
    this.stored.remove();
  }

  get books(): Books {
    return { ...this.#backlog.readBooks() };
  }

  /** Posts that reached the receiver. */
  get posts() {
    return this.receiver.requests.filter(({ method }) => method === 'POST');
  }

  /** What the receiver shows with deduplication: each series and time once. */
  get visible(): string[] {
    return [...new Set(this.receiver.rows().map(({ series, timestampMs }) => `${timestampMs} ${series}`))].sort();
  }
}
