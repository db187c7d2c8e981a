import { createLinkedController } from '@thugshells/shared/abort.ts';
import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import { ReceiverClockProber } from './clock/receiver-clock-prober.ts';
import { ReceiverClockTable } from './clock/receiver-clock-table.ts';
import { ReceiverClock, type DateAnswer } from './clock/receiver-clock.ts';
import type { UploaderConfig } from '@thugshells/shared/config/uploader-config.ts';
import { BatchSender } from './delivery/batch-sender.ts';
import { ChunkSize } from './delivery/chunk-size.ts';
import { Liveness } from './delivery/liveness.ts';
import { RateLimiter } from './delivery/rate-limiter.ts';
import { ReceiverProbe } from './delivery/receiver-probe.ts';
import { ReceiverState } from './delivery/receiver-state.ts';
import { RestartCheck } from './delivery/restart-check.ts';
import { TooOldSamples } from './delivery/too-old-samples.ts';
import { UploadLoop } from './delivery/upload-loop.ts';
import { BatchEncoder } from './encoding/batch-encoder.ts';
import { Acknowledgements } from './queue/acknowledgements.ts';
import { Backlog } from './queue/backlog.ts';
import { DatabaseWatch } from './queue/database-watch.ts';
import { LockWatch } from './queue/lock-watch.ts';
import { SettledRanges } from './queue/settled-ranges.ts';
import { UntimedRows } from './queue/untimed-rows.ts';
import { toDateAnswer } from './transport/date-request.ts';
import { RetryingTransport } from './transport/retrying-transport.ts';
import type { FlagsAnswer } from './transport/query-client.ts';
import type { ReceiverClient, SendResult } from './transport/transport.ts';

/** What all parts of the agent use; tests pass a clock of their own. */
export interface AgentContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: UploaderConfig;
}

/** The pending samples of one database, and the acknowledgements of those that were sent. */
export type Queue = ReturnType<typeof openQueue>;

/** Opens the queue in a migrated database; requeues what the last process left unconfirmed. */
export function openQueue(
  database: Database,
  { clock, logger, config }: AgentContext,
  watch = new DatabaseWatch(database, { path: config.dbPath, clock, logger }),
) {
  const settled = new SettledRanges(database);
  const backlog = new Backlog(database, settled);
  const { replayWindowMs, probeIntervalMs: questionIntervalMs } = config;
  const own = { replayWindowMs, questionIntervalMs };
  const acknowledgements = new Acknowledgements(database, settled, { clock, logger, ...own });
  const replayed = acknowledgements.recover();
  if (replayed > 0) logger.info('requeued unconfirmed samples', { count: replayed });
  const untimedRows = new UntimedRows({ clock, logger, database, settled });
  const lockWatch = new LockWatch(database, { clock, path: config.dbPath, acknowledgements });
  return { database, settled, backlog, acknowledgements, watch, untimedRows, lockWatch };
}

export interface UploaderOptions extends AgentContext {
  readonly client: ReceiverClient;
  /** The kernel's; without it the receiver's clock cannot be stored. */
  readonly bootId: string | undefined;
  /** Unix milliseconds before which no clock can be right: when this program was built. */
  readonly builtAtMs: number;
  /** The entry point of the encoder's thread. */
  readonly encodeWorkerFile: string;
  readonly isLinkUp: () => boolean;
  /** From 0 up to, but not including, 1. */
  readonly random: () => number;
  /** Milliseconds until the first upload. */
  readonly firstCycleInMs: number;
  /** Called with the result of each attempt and the samples in it, also of those that are retried. */
  readonly onAttempt: (result: SendResult, samples: number) => void;
  /** Reads the flags of the receiver; undefined if it is not known where it is read. */
  readonly findFlags?: ((signal: AbortSignal) => Promise<FlagsAnswer>) | undefined;
  readonly stop: AbortSignal;
}

/** The upload loop with everything that it works with. */
export type Uploader = ReturnType<typeof createUploader>;

/** Creates the upload loop, which sends the samples of a queue to the receiver; nothing is sent before `run`. */
export function createUploader(queue: Queue, options: UploaderOptions) {
  const { clock, logger, config, stop } = options;
  const { acknowledgements, backlog } = queue;
  // What is pending may have been sent before this process began.
  options.client.expectRepeats([[1, backlog.readLastId()]]);
  const table = new ReceiverClockTable(queue.database, options.bootId);
  const receiverClock = new ReceiverClock({ ...config, clock, logger, table, builtAtMs: options.builtAtMs });
  const encoder = new BatchEncoder({
    database: queue.database,
    databasePath: config.dbPath,
    workerFile: options.encodeWorkerFile,
    receiverNow: () => receiverClock.latestReceiverNow(),
  });
  const receiver = new ReceiverState(clock, logger);
  const liveness = new Liveness(clock);
  const chunkSize = new ChunkSize(config);
  const transport = createRetryingTransport({ receiver, liveness }, options);
  const prober = createProber({ receiverClock, receiver, transport }, options);
  const tooOld = createTooOldSamples(queue, receiverClock, options);
  const { sendsOldestFirst } = options.client;
  const parts = { encoder, transport, chunkSize, receiver, tooOld, sendsOldestFirst };
  const sender = new BatchSender({ clock, logger, acknowledgements, receiverClock, ...parts });
  const loop = createUploadLoop({ queue, sender, liveness, ...parts }, options);
  const restartCheck = createRestartCheck(acknowledgements, receiver, options);

  /** Uploads until `stop` is aborted or the database is replaced. */
  async function run(): Promise<void> {
    // No sample leaves before it is known how wrong its time may be, unless the receiver does not respond.
    const first = await prober.measureFirst(stop);
    const { controller, release } = createLinkedController(stop);
    try {
      const uploading = loop.run(stop).finally(() => controller.abort());
      await Promise.all([uploading, prober.run(first, controller.signal)]);
    } finally {
      release();
    }
  }
  return { receiverClock, prober, encoder, receiver, chunkSize, transport, tooOld, sender, loop, restartCheck, run };
}

function createTooOldSamples(
  { backlog, acknowledgements }: Queue,
  receiverClock: ReceiverClock,
  { clock, logger, config, client, findFlags, stop }: UploaderOptions,
): TooOldSamples {
  const parts = { backlog, acknowledgements, receiverClock, findFlags, policy: config.tooOld };
  const tooOld = new TooOldSamples({ clock, logger, stop, ...parts });
  client.onRestartSign((sign) => tooOld.onRestartSign(sign));
  return tooOld;
}

function createRestartCheck(acknowledgements: Acknowledgements, receiver: ReceiverState, options: UploaderOptions) {
  const { clock, logger, config, client, random, stop } = options;
  const { probeIntervalMs } = config;
  const asking = { receiver, receiverCheck: client, probeIntervalMs, random, stop };
  const restartCheck = new RestartCheck({ clock, logger, acknowledgements, ...asking });
  client.onRestartSign((sign) => void restartCheck.onRestartSign(sign));
  return restartCheck;
}

function createProber(
  {
    receiverClock,
    receiver,
    transport,
  }: Pick<UploadLoopParts, 'receiver' | 'transport'> & { receiverClock: ReceiverClock },
  { clock, logger, config, client }: UploaderOptions,
): ReceiverClockProber {
  const { clockSkewUrl, clockSkewIntervalMs, remoteUrl } = config;
  const options = { clock, logger, receiverClock, clockSkewIntervalMs };
  if (clockSkewUrl !== '' || !client.checksConnection) {
    const dateUrl = clockSkewUrl || new URL('/health', remoteUrl).href;
    return new ReceiverClockProber({ ...options, requestDate: (signal) => client.requestDate(dateUrl, signal) });
  }
  const requestDate = async (signal: AbortSignal): Promise<DateAnswer> => {
    const result = await client.ask(signal);
    transport.noteAsked(result);
    return toDateAnswer(result, client);
  };
  // Each upload that is accepted has the time as well, and nothing is sent during a backoff.
  const isNeeded = (): boolean =>
    transport.pause.backoffUntil <= clock.monotonic() &&
    clock.now() - (receiver.lastDelivery?.atMs ?? -Infinity) >= clockSkewIntervalMs;
  return new ReceiverClockProber({ ...options, requestDate, requests: 1, isNeeded });
}

function createRetryingTransport(
  { receiver, liveness }: Pick<UploadLoopParts, 'receiver' | 'liveness'>,
  options: UploaderOptions,
): RetryingTransport {
  const { clock, logger, config, client, random, onAttempt, stop } = options;
  return new RetryingTransport(client, {
    clock,
    logger,
    stop,
    random,
    onAttempt(result, samples) {
      liveness.progress();
      onAttempt(result, samples);
    },
    onRetry({ errorCode, status, durationMs }, reason, waitMs) {
      liveness.progress(waitMs);
      receiver.attemptFailed(reason, { durationMs, waitMs, error_code: errorCode, http_status: status });
    },
    attempts: config.retryAttempts,
    isLongAway: () => receiver.isLongAway,
    policy: {
      initialMs: config.retryInitialMs,
      multiplier: config.retryMultiplier,
      maxMs: config.retryMaxMs,
      jitter: config.retryJitter,
    },
  });
}

interface UploadLoopParts {
  readonly queue: Queue;
  readonly encoder: BatchEncoder;
  readonly transport: RetryingTransport;
  readonly chunkSize: ChunkSize;
  readonly sender: BatchSender;
  readonly receiver: ReceiverState;
  readonly liveness: Liveness;
  readonly tooOld: TooOldSamples;
  readonly sendsOldestFirst: boolean;
}

function createUploadLoop(parts: UploadLoopParts, options: UploaderOptions): UploadLoop {
  const { queue, encoder, transport, chunkSize, sender, receiver, liveness, tooOld, sendsOldestFirst } = parts;
  const { clock, logger, config, client, random, isLinkUp, firstCycleInMs } = options;
  const { watch, backlog, acknowledgements } = queue;
  const { dbPath, probeIntervalMs, uploadIntervalMs, replayWindowMs } = config;
  const probe = new ReceiverProbe({ clock, receiver, receiverCheck: client, random, isLinkUp, probeIntervalMs });
  const rateLimiter = new RateLimiter(clock, config.uploadMaxRate);
  return new UploadLoop({
    clock,
    logger,
    watch,
    backlog,
    acknowledgements,
    encoder,
    transport,
    chunkSize,
    sender,
    probe,
    rateLimiter,
    liveness,
    tooOld,
    receiverCheck: client,
    sendsOldestFirst,
    dbPath,
    uploadIntervalMs,
    replayWindowMs,
    firstCycleInMs,
  });
}
