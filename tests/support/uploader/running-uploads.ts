import { join } from 'node:path';

import { startReceiver, type Receiver } from '../../receiver/src/server.ts';
import { createUploader, openQueue, type Queue } from '../../../uploader/src/agent.ts';
import type { ReceiverClock } from '../../../uploader/src/clock/receiver-clock.ts';
import { loadUploaderConfig, type UploaderConfig } from '../../../shared/src/config/uploader-config.ts';
import type { ReceiverState } from '../../../uploader/src/delivery/receiver-state.ts';
import type { TooOldSamples } from '../../../uploader/src/delivery/too-old-samples.ts';
import type { UploadLoop } from '../../../uploader/src/delivery/upload-loop.ts';
import type { BatchEncoder } from '../../../uploader/src/encoding/batch-encoder.ts';
import type { Books } from '../../../uploader/src/queue/backlog.ts';
import type { FlagsAnswer } from '../../../uploader/src/transport/query-client.ts';
import { HttpTransport } from '../../../uploader/src/transport/http-transport.ts';
import type { SendResult } from '../../../uploader/src/transport/transport.ts';
import { VictoriaMetricsProtocol } from '../../../uploader/src/transport/victoriametrics.ts';
import { FakeClock } from '../fake-clock.ts';
import { until } from '../until.ts';
import { directConnection } from './direct-connection.ts';
import { LogRecord } from './log-record.ts';
import { StoredSamples } from './stored-samples.ts';

/** The encoder's worker from its source. */
export const WORKER_FILE = join(import.meta.dirname, '../../../uploader/src/encoding/encode-worker.ts');

/** The default configuration, except where a test about uploads needs another value. */
export const TEST_CONFIG: UploaderConfig = {
  ...loadUploaderConfig({}).values,
  remoteTimeoutMs: 20_000,
  retryAttempts: 1,
  retryJitter: 0,
  probeIntervalMs: 0,
};

/** What a test sets: variables of the configuration, and what stands outside of it. */
export interface UploadSettings extends Partial<UploaderConfig> {
  readonly sendsOldestFirst?: boolean;
  /** Called with the result of each attempt. */
  readonly onAttempt?: (result: SendResult) => void;
  readonly findFlags?: () => Promise<FlagsAnswer>;
}

/** VictoriaMetrics' protocol for a receiver that rejects a sample once it has a newer one of its series. */
class OldestFirstProtocol extends VictoriaMetricsProtocol {
  override readonly sendsOldestFirst = true;
}

/** The upload loop as the agent's factories create it: database, worker thread, HTTP and receiver are real, only time is not. */
export class RunningUploads {
  readonly stored = new StoredSamples();
  readonly clock: FakeClock;
  readonly log = new LogRecord();
  readonly receiver: Receiver;
  readonly receiverClock: ReceiverClock;
  readonly state: ReceiverState;
  readonly loop: UploadLoop;
  readonly tooOld: TooOldSamples;
  readonly #queue: Queue;
  readonly #encoder: BatchEncoder;
  readonly #client: HttpTransport;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  private constructor(receiver: Receiver, clock: FakeClock, settings: UploadSettings) {
    const { onAttempt = () => undefined, sendsOldestFirst = false, findFlags, ...changes } = settings;
    this.clock = clock;
    this.receiver = receiver;
    const remoteUrl = `${receiver.url}/api/v1/import`;
    const config = { ...TEST_CONFIG, dbPath: this.stored.path, remoteUrl, ...changes };
    const context = { clock, logger: this.log, config };
    const protocol = sendsOldestFirst ? new OldestFirstProtocol() : new VictoriaMetricsProtocol();
    this.#client = new HttpTransport({
      clock,
      protocol,
      remoteUrl,
      remoteTimeoutMs: config.remoteTimeoutMs,
      ...directConnection,
    });
    this.#queue = openQueue(this.stored.database, context);
    const uploader = createUploader(this.#queue, {
      ...context,
      client: this.#client,
      bootId: undefined,
      builtAtMs: 0,
      encodeWorkerFile: WORKER_FILE,
      isLinkUp: () => true,
      random: () => 0.5,
      firstCycleInMs: 0,
      onAttempt,
      findFlags,
      stop: this.#stop.signal,
    });
    this.receiverClock = uploader.receiverClock;
    this.state = uploader.receiver;
    this.tooOld = uploader.tooOld;
    this.loop = uploader.loop;
    this.#encoder = uploader.encoder;
  }

  static async prepare(settings: UploadSettings = {}): Promise<RunningUploads> {
    const clock = new FakeClock();
    return new RunningUploads(await startReceiver({ now: () => clock.now() }), clock, settings);
  }

  /** Starts the loop. */
  start(): void {
    this.#running = this.loop.run(this.#stop.signal);
  }

  /**
   * Runs the loop until it waits; the first call starts it. A receiver that refuses uploads is waited for with looks at the
   * credentials, which end nothing here: up to the next attempt.
   */
  async pass(): Promise<void> {
    if (this.#running === undefined) this.start();
    else {
      const isHeld = this.state.condition === 'held';
      const nextAtMs = isHeld ? this.state.nextAttemptAtMs : undefined;
      await this.clock.advance(this.clock.nextWakeMs ?? 0);
      while (nextAtMs !== undefined && this.clock.now() < nextAtMs) {
        await this.waits();
        await this.clock.advance(this.clock.nextWakeMs ?? 0);
      }
    }
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
    this.#client.close();
    await this.#encoder.close();
    this.stored.remove();
  }

  get books(): Books {
    return { ...this.#queue.backlog.readBooks() };
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
