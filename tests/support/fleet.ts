import type { Clock } from '../../shared/src/clock.ts';
import type { Logger } from '../../shared/src/logging/logger.ts';
import { ChunkSize } from '../../uploader/src/delivery/chunk-size.ts';
import { calculateUploadDelayMs } from '../../uploader/src/delivery/upload-phase.ts';
import { ReceiverProbe } from '../../uploader/src/delivery/receiver-probe.ts';
import { ReceiverState } from '../../uploader/src/delivery/receiver-state.ts';
import type { Chunk } from '../../uploader/src/chunk.ts';
import type { ReceiverCheck, SendResult, Transport } from '../../uploader/src/transport/transport.ts';
import { RetryingTransport } from '../../uploader/src/transport/retrying-transport.ts';

/** The defaults of the uploader that decide when it sends something. */
const INTERVAL_MS = 30_000;
const CHUNKS = {
  chunkMetrics: 50,
  batchMetrics: 2_500,
  chunkGrowth: true,
  chunkMaxBytes: 256 * 1024,
  uploadIntervalMs: INTERVAL_MS,
};
const RETRY = { attempts: 3, policy: { initialMs: 5_000, multiplier: 3, maxMs: 60_000, jitter: 0.2 } };
const PROBE_INTERVAL_MS = 5_000;
/** What a board collects by default, about. */
const SAMPLES_PER_MS = 6 / 1_000;
const BYTES_PER_SAMPLE = 4;
const ROUND_TRIP_MS = 100;

/** A fleet that comes back after an outage. */
export interface FleetOptions {
  readonly boards?: number;
  readonly outageMs?: number;
  readonly watchedMs?: number;
  readonly seed?: number;
}

/** Requests in each second after the receiver is back, their mean and their peak. */
export interface FleetLoad {
  readonly perSecond: readonly number[];
  readonly mean: number;
  readonly peak: number;
}

interface SimulatedSleep {
  readonly atMs: number;
  readonly resolve: () => void;
}

interface SimulatedDevice {
  readonly clock: SimulatedClock;
  readonly deviceId: string;
  /** When the receiver is back. */
  readonly backAtMs: number;
  readonly untilMs: number;
  readonly random: () => number;
  readonly onRequest: (atMs: number) => void;
}

/** Time that passes only when all devices sleep, and then up to the end of the shortest sleep. */
class SimulatedClock implements Clock {
  #nowMs: number;
  /** A binary heap by time: a thousand devices make a million sleeps. */
  readonly #heap: SimulatedSleep[] = [];

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  now = (): number => this.#nowMs;
  monotonic = (): number => this.#nowMs;
  sinceBoot = (): number => this.#nowMs;

  sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => this.#push({ atMs: this.#nowMs + Math.max(0, ms), resolve }));

  async run(untilMs: number): Promise<void> {
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= untilMs) {
      const { atMs, resolve } = this.#pop();
      this.#nowMs = atMs;
      resolve();
      // Whoever was woken goes on until it waits again.
      await new Promise((settled) => setImmediate(settled));
    }
  }

  #push(entry: SimulatedSleep): void {
    const heap = this.#heap;
    heap.push(entry);
    for (
      let at = heap.length - 1, up = (at - 1) >> 1;
      at > 0 && heap[up]!.atMs > heap[at]!.atMs;
      at = up, up = (at - 1) >> 1
    )
      [heap[up], heap[at]] = [heap[at]!, heap[up]!];
  }

  #pop(): SimulatedSleep {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ;) {
      const child = 2 * at + 1;
      const least = [child, child + 1].reduce(
        (min, each) => (each < heap.length && heap[each]!.atMs < heap[min]!.atMs ? each : min),
        at,
      );
      if (least === at) return first;
      [heap[least], heap[at]] = [heap[at]!, heap[least]!];
      at = least;
    }
  }
}

/** Returns a function of random numbers from 0 to 1, the same ones for a seed. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const quiet: Logger = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  debug: () => undefined,
  child: () => quiet,
};
const never = new AbortController().signal;

/** Runs one device: the uploader's own backoff, phase, probe and chunk sizes around a receiver that is away until it is back. */
async function runDevice({ clock, deviceId, backAtMs, untilMs, random, onRequest }: SimulatedDevice): Promise<void> {
  const receiver = new ReceiverState(clock, quiet);
  const chunkSize = new ChunkSize(CHUNKS);
  const request = async (): Promise<boolean> => {
    onRequest(clock.now());
    await clock.sleep(ROUND_TRIP_MS);
    return clock.now() >= backAtMs;
  };
  const receiverTransport: Transport = {
    format: 'json-lines',
    send: async (): Promise<SendResult> => ({
      outcome: (await request()) ? { kind: 'delivered' } : { kind: 'retry', reason: 'away' },
      endpoint: '',
      bytesSent: 0,
      bytesReceived: 0,
      durationMs: ROUND_TRIP_MS,
      isClosing: false,
    }),
  };
  const transport = new RetryingTransport(receiverTransport, {
    ...RETRY,
    clock,
    logger: quiet,
    random,
    isLongAway: () => receiver.isLongAway,
    onAttempt: () => undefined,
    onRetry: () => undefined,
    stop: never,
  });
  const receiverCheck: Pick<ReceiverCheck, 'checkReceiver' | 'checksConnection' | 'haveCredentialsChanged'> = {
    checksConnection: false,
    haveCredentialsChanged: () => false,
    checkReceiver: async () => ((await request()) ? { connection: 1, isClosing: false, isReceiver: true } : undefined),
  };
  const probe = new ReceiverProbe({
    clock,
    receiver,
    receiverCheck,
    random,
    isLinkUp: () => true,
    probeIntervalMs: PROBE_INTERVAL_MS,
  });
  const startMs = clock.now();
  const origin = startMs + calculateUploadDelayMs(deviceId, INTERVAL_MS, startMs);
  await clock.sleep(origin - startMs);
  let deliveredUntilMs = startMs;
  while (clock.now() < untilMs) {
    for (let pending; (pending = (clock.now() - deliveredUntilMs) * SAMPLES_PER_MS) >= 1;) {
      const samples = Math.min(chunkSize.next(pending).chunkMetrics, Math.ceil(pending));
      const { outcome } = await transport.send({ count: samples, body: new Uint8Array() } as Chunk, never);
      if (outcome.kind !== 'delivered') {
        receiver.failed('away', 'away');
        break;
      }
      receiver.answered();
      chunkSize.accepted({ samples, bytes: samples * BYTES_PER_SAMPLE, durationMs: ROUND_TRIP_MS });
      deliveredUntilMs += samples / SAMPLES_PER_MS;
    }
    const dueAt = origin + Math.ceil((clock.now() - origin + 1) / INTERVAL_MS) * INTERVAL_MS;
    await probe.wait(Math.max(dueAt, transport.pause.backoffUntil), never, transport.pause);
  }
}

/** Counts the requests of each second after a receiver is back that was away since all devices started. */
export async function simulateFleet({
  boards = 1_000,
  outageMs = 3_600_000,
  watchedMs = 60_000,
  seed = 1,
}: FleetOptions = {}): Promise<FleetLoad> {
  const startMs = 1_700_000_000_000;
  const backAtMs = startMs + outageMs;
  const clock = new SimulatedClock(startMs);
  const perSecond = new Array<number>(watchedMs / 1_000).fill(0);
  const onRequest = (atMs: number): void => {
    const second = Math.floor((atMs - backAtMs) / 1_000);
    if (second >= 0 && second < perSecond.length) perSecond[second]! += 1;
  };
  const random = seededRandom(seed);
  for (let board = 0; board < boards; board++) {
    void runDevice({ clock, deviceId: `board-${board}`, backAtMs, untilMs: backAtMs + watchedMs, random, onRequest });
  }
  await new Promise((settled) => setImmediate(settled));
  await clock.run(backAtMs + watchedMs);
  const mean = perSecond.reduce((sum, each) => sum + each, 0) / perSecond.length;
  return { perSecond, mean, peak: Math.max(...perSecond) };
}
