import { ChunkSize } from '../../uploader/src/delivery/chunk-size.ts';
import { calculateUploadDelayMs } from '../../uploader/src/delivery/upload-phase.ts';
import { ReceiverProbe } from '../../uploader/src/delivery/receiver-probe.ts';
import { ReceiverState } from '../../uploader/src/delivery/receiver-state.ts';
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

/** Time that passes only when everybody waits, and then as far as the first one's end. */
class SimulatedClock {
  #nowMs;
  /** A binary heap by time: a thousand boards make a million waits. */
  #heap = [];

  constructor(startMs) {
    this.#nowMs = startMs;
  }

  now = () => this.#nowMs;
  monotonic = () => this.#nowMs;

  sleep = (ms) => new Promise((resolve) => this.#push({ atMs: this.#nowMs + Math.max(0, ms), resolve }));

  async run(untilMs) {
    while (this.#heap.length > 0 && this.#heap[0].atMs <= untilMs) {
      const { atMs, resolve } = this.#pop();
      this.#nowMs = atMs;
      resolve();
      // Whoever was woken goes on until it waits again.
      await new Promise((settled) => setImmediate(settled));
    }
  }

  #push(entry) {
    const heap = this.#heap;
    heap.push(entry);
    for (
      let at = heap.length - 1, up = (at - 1) >> 1;
      at > 0 && heap[up].atMs > heap[at].atMs;
      at = up, up = (at - 1) >> 1
    )
      [heap[up], heap[at]] = [heap[at], heap[up]];
  }

  #pop() {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ;) {
      const child = 2 * at + 1;
      const least = [child, child + 1].reduce(
        (min, each) => (each < heap.length && heap[each].atMs < heap[min].atMs ? each : min),
        at,
      );
      if (least === at) return first;
      [heap[least], heap[at]] = [heap[at], heap[least]];
      at = least;
    }
  }
}

/** The same numbers from 0 to 1 each time. */
function seededRandom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const quiet = { info() {}, warn() {}, error() {}, debug() {} };
const never = new AbortController().signal;

/** One board: the uploader's own backoff, phase, probe and chunk sizes around a receiver that is away until it is back. */
async function runBoard({ clock, deviceId, backAtMs, untilMs, random, onRequest }) {
  const receiver = new ReceiverState(clock, quiet);
  const chunkSize = new ChunkSize(CHUNKS);
  const request = async () => {
    onRequest(clock.now());
    await clock.sleep(ROUND_TRIP_MS);
    return clock.now() >= backAtMs;
  };
  const send = async () =>
    (await request()) ? { outcome: { kind: 'delivered' } } : { outcome: { kind: 'retry', reason: 'away' } };
  const transport = new RetryingTransport(
    { send },
    {
      ...RETRY,
      clock,
      logger: quiet,
      random,
      isLongAway: () => receiver.isLongAway,
      onAttempt: () => undefined,
      stop: never,
    },
  );
  const receiverCheck = { checkReceiver: async () => ((await request()) ? 1 : undefined) };
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
      const { outcome } = await transport.send({ count: samples, body: [] }, never);
      if (outcome.kind !== 'delivered') {
        receiver.failed('away', 'away');
        break;
      }
      receiver.answered();
      chunkSize.accepted({ samples, bytes: samples * BYTES_PER_SAMPLE, durationMs: ROUND_TRIP_MS });
      deliveredUntilMs += samples / SAMPLES_PER_MS;
    }
    await probe.wait(origin + Math.ceil((clock.now() - origin + 1) / INTERVAL_MS) * INTERVAL_MS, never);
  }
}

/** Requests in each second of the minute after a receiver is back that was away for an hour from all boards' start on. */
export async function simulateFleet({ boards = 1_000, outageMs = 3_600_000, watchedMs = 60_000, seed = 1 } = {}) {
  const startMs = 1_700_000_000_000;
  const backAtMs = startMs + outageMs;
  const clock = new SimulatedClock(startMs);
  const perSecond = new Array(watchedMs / 1_000).fill(0);
  const onRequest = (atMs) => {
    const second = Math.floor((atMs - backAtMs) / 1_000);
    if (second >= 0 && second < perSecond.length) perSecond[second] += 1;
  };
  const random = seededRandom(seed);
  for (let board = 0; board < boards; board++) {
    void runBoard({ clock, deviceId: `board-${board}`, backAtMs, untilMs: backAtMs + watchedMs, random, onRequest });
  }
  await new Promise((settled) => setImmediate(settled));
  await clock.run(backAtMs + watchedMs);
  const mean = perSecond.reduce((sum, each) => sum + each, 0) / perSecond.length;
  return { perSecond, mean, peak: Math.max(...perSecond) };
}
