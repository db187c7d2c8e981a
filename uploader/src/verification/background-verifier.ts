import type { Clock } from '@thugshells/shared/clock.ts';
import { intersect, subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import type { Logger } from '@thugshells/shared/logging/types.ts';
import type { VerificationState } from '@thugshells/shared/state/verification-state.ts';

import { RowReader } from '../encoding/rows/row-reader.ts';
import { DeliveredRows } from '../queue/delivered-rows.ts';
import { Requeue } from '../queue/requeue.ts';
import type { SettledRanges } from '../queue/settled-ranges.ts';
import { SENT_AGAIN, VerifiedRanges, VerifiedState } from '../queue/verified-ranges.ts';
import type { QueryClient } from '../transport/query-client.ts';
import { findNewestSlice } from './due-slices.ts';
import { Judgements } from './judgements.ts';
import { KnownFlags } from './known-flags.ts';
import { ReceiverSamples } from './receiver-samples.ts';
import { ReceiverTotalCheck } from './receiver-total-check.ts';
import { SeriesCatalog } from './series-catalog.ts';
import { VerificationCounts } from './verification-counts.ts';
import { SETTLING_MS } from './verification-limits.ts';
import { Verifier, type VerifiedSlice } from './verifier.ts';

export interface BackgroundVerifierOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly database: Database;
  readonly settled: SettledRanges;
  readonly client: Pick<QueryClient, 'query' | 'findFlags' | 'bytes'>;
  /** Whether missing samples are sent again. */
  readonly requeues: boolean;
  /** The current time by the receiver's clock, Unix milliseconds. */
  readonly now: () => number;
  /** Whether uploads leave time for it. */
  readonly isIdle: () => boolean;
}

/** Bytes after which the next run goes on. */
const MAX_RUN_BYTES = 4 * 1024 ** 2;
/** How often it is asked whether uploads leave time. */
const IDLE_POLL_MS = 5_000;
/**
 * What was sent again is compared no sooner, and read once more 10 s later before it counts as missing (Verifier): after a
 * deletion VictoriaMetrics hides samples of those series for some seconds.
 */
const SENT_AGAIN_MS = 5_000;

/**
 * Compares what was delivered since the last run with what the receiver returns, newest slice first, one query at a time:
 *
 *   delivered   → there: judged
 *               → missing: sent again (pending), a few times → delivered
 *               → missing after that too: reported, and judged; a rule of the receiver may drop it
 *
 * A receiver that has fewer samples than it had within the range that is judged has lost some of them (its storage was put
 * back, its series were deleted): all that is judged is compared anew. One number is asked for in each run.
 */
export class BackgroundVerifier {
  readonly #options: BackgroundVerifierOptions;
  readonly #rows: DeliveredRows;
  readonly #verified: VerifiedRanges;
  readonly #judgements: Judgements;
  readonly #reader: RowReader;
  readonly #receiver: ReceiverSamples;
  readonly #total: ReceiverTotalCheck;
  readonly #flags: KnownFlags;
  readonly #counts: VerificationCounts;
  /** By the monotonic clock. */
  #sentAgainAt = -Infinity;

  constructor(options: BackgroundVerifierOptions) {
    const { database, settled, client } = options;
    this.#options = options;
    this.#rows = new DeliveredRows(database);
    this.#verified = new VerifiedRanges(database);
    const requeue = options.requeues ? new Requeue(database, settled) : undefined;
    this.#judgements = new Judgements({ rows: this.#rows, verified: this.#verified, requeue });
    this.#reader = new RowReader(database);
    this.#receiver = new ReceiverSamples(client);
    const parts = { rows: this.#rows, verified: this.#verified, receiver: this.#receiver };
    this.#total = new ReceiverTotalCheck({ ...options, ...parts });
    this.#flags = new KnownFlags(options);
    this.#counts = new VerificationCounts(options);
    this.#counts.verifiedThrough(this.#findThrough(this.#findDue(this.#rows.readDelivered().final)));
  }

  /** What came of it since this process started. */
  get state(): VerificationState {
    return this.#counts.state;
  }

  /**
   * Does one run. A receiver that cannot be read is reported in the state, and asked again in the next run.
   *
   * @throws what the database throws
   */
  async run(stop: AbortSignal): Promise<void> {
    try {
      await this.#untilIdle(stop);
      if (!stop.aborted) await this.#verify(stop);
      this.#counts.readable();
    } catch (error) {
      if (stop.aborted) return;
      if (!(error instanceof AgentError)) throw error;
      this.#counts.unreadable(error);
    }
  }

  async #verify(stop: AbortSignal): Promise<void> {
    const { clock, client, now } = this.#options;
    const startBytes = client.bytes;
    const flags = await this.#flags.read(stop);
    await this.#total.compare(flags?.retentionMs, stop);
    this.#forgetDeleted();
    const { final } = this.#rows.readDelivered();
    const judgedThroughMs = now() - SETTLING_MS;
    const keptAfterMs = now() - (flags?.retentionMs ?? Infinity);
    const expected = subtract(final, this.#verified.read(VerifiedState.missingAgain));
    const verifier = new Verifier({
      clock,
      rows: this.#rows,
      catalog: new SeriesCatalog(this.#reader),
      receiver: this.#receiver,
      delivered: expected,
      dedupMs: flags?.dedupMs ?? 0,
    });
    this.#counts.began();
    let due = this.#rows.withoutLater(this.#findDue(final), judgedThroughMs);
    while (due.length > 0 && client.bytes - startBytes < MAX_RUN_BYTES) {
      await this.#verifyNewest(due, { verifier, keptAfterMs, stop });
      await this.#untilIdle(stop);
      stop.throwIfAborted();
      // What was sent again meanwhile is not delivered now.
      const delivered = intersect(final, this.#rows.readDelivered().final);
      due = this.#rows.withoutLater(this.#findDue(delivered), judgedThroughMs);
    }
    this.#counts.verifiedThrough(this.#findThrough(due));
    if (due.length === 0) await this.#total.renew(this.state.throughMs, flags?.retentionMs, stop);
  }

  /** Compares the newest slice of what is due; at least its newest row is judged then. */
  async #verifyNewest(
    due: readonly IdRange[],
    {
      verifier,
      keptAfterMs,
      stop,
    }: { readonly verifier: Verifier; readonly keptAfterMs: number; readonly stop: AbortSignal },
  ): Promise<void> {
    const found = findNewestSlice(this.#rows, due);
    if (found === undefined) return this.#judge(due.slice(-1));
    const { slice, ranges } = found;
    // The receiver has deleted what is older: it cannot be judged.
    if (slice.afterMs >= keptAfterMs) for await (const result of verifier.verify(slice, stop)) this.#settle(result);
    // Also ids without a row, and rows whose series cannot be read.
    this.#judge(ranges);
  }

  /** Judges the rows of a slice; in one transaction, so that a kill leaves nothing half done. */
  #settle({ compared, missing, foreign }: VerifiedSlice): void {
    const { clock, database } = this.#options;
    const settled = database.transaction(() => this.#judgements.settle(compared, missing)).immediate();
    if (settled.requeued > 0) this.#sentAgainAt = clock.monotonic();
    this.#counts.settled(settled, missing, foreign);
  }

  /** Forgets what retention has deleted on this device. */
  #forgetDeleted(): void {
    const oldest = this.#rows.findOldest([1, Number.MAX_SAFE_INTEGER]);
    if (oldest === undefined || oldest.id === 1) return;
    const forget = (): void => {
      for (const state of [...SENT_AGAIN, VerifiedState.missingAgain])
        this.#verified.remove(state, [[1, oldest.id - 1]]);
    };
    this.#options.database.transaction(forget).immediate();
  }

  #judge(ranges: readonly IdRange[]): void {
    const judge = (): void => {
      const delivered = intersect(ranges, this.#rows.readDelivered().final);
      const sentAgain = this.#verified.readSentAgain();
      this.#verified.add(VerifiedState.judged, subtract(delivered, sentAgain));
    };
    this.#options.database.transaction(judge).immediate();
  }

  /** Finds what was delivered and is not judged yet. */
  #findDue(final: readonly IdRange[]): IdRange[] {
    const judged = subtract(final, this.#verified.read(VerifiedState.judged));
    const due = subtract(judged, this.#verified.read(VerifiedState.missingAgain));
    const isSettling = this.#options.clock.monotonic() - this.#sentAgainAt < SENT_AGAIN_MS;
    return isSettling ? subtract(due, this.#verified.readSentAgain()) : due;
  }

  /** Returns the corrected time through which nothing is due; undefined if nothing was judged yet. */
  #findThrough(due: readonly IdRange[]): number | undefined {
    for (const range of due) {
      const oldest = this.#rows.findOldest(range);
      if (oldest !== undefined) return oldest.timestampMs - 1;
    }
    const judged = this.#verified.read(VerifiedState.judged).at(-1);
    return judged && this.#rows.findNewest([1, judged[1]])?.throughMs;
  }

  async #untilIdle(stop: AbortSignal): Promise<void> {
    const { clock, isIdle } = this.#options;
    while (!stop.aborted && !isIdle()) await clock.sleep(IDLE_POLL_MS, stop);
  }
}
