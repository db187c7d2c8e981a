import type { Clock } from '@thugshells/shared/clock.ts';
import { toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';
import { COLLECTION_BOUNDS_SECONDS, observe } from '@thugshells/shared/metrics/histogram.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';
import { toExcerpt } from '@thugshells/shared/printable.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import type { ServiceManager } from '@thugshells/shared/process/service-manager.ts';
import { RecurringWork } from '@thugshells/shared/recurring-work.ts';
import { ticks } from '@thugshells/shared/ticker.ts';
import {
  createCounters,
  type CollectorHealth,
  type CollectorStatus,
} from '@thugshells/shared/state/collector-status.ts';

import { readInstant } from '../store/clock/clock-epochs.ts';
import type { Collector } from '../collectors/collector.ts';
import { extractReadings } from '../collectors/readers/partial-result.ts';
import type { CommitBatcher } from './commit-batcher.ts';
import { OverdueWatch } from './overdue-watch.ts';
import { MAX_MESSAGE_LENGTH, ScrapeNotices } from './scrape-notices.ts';
import type { SeriesLimit } from './series-limit.ts';
import type { Store } from '../store/store.ts';

/** A collector and how often it runs. */
export interface ScheduledCollector {
  readonly collector: Collector;
  readonly intervalMs: number;
}

export interface SchedulerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: Pick<Store, 'admit' | 'expect' | 'findCounters' | 'failure'>;
  /** Takes each scrape to the store. */
  readonly batcher: Pick<CommitBatcher, 'add'>;
  readonly seriesLimit: SeriesLimit;
  readonly manager: Pick<ServiceManager, 'reportProgress' | 'reportStatus'>;
}

/** The result of one call of a collector. */
interface ScrapeResult {
  readonly readings: readonly Reading[];
  readonly health: CollectorHealth;
  readonly message: string;
  readonly error?: unknown;
}

/** How often a summary of the scrapes is logged at level info. */
const SUMMARY_INTERVAL_MS = 60_000;

/**
 * Runs every collector at its own interval. Each has a loop of its own, so a slow or failing one delays no other.
 * Scrapes start at multiples of the interval from one origin, so they do not drift. Scrapes that a slow one overruns are
 * skipped.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #recurring: RecurringWork;
  readonly #overdue: OverdueWatch;
  readonly #states = new Map<string, CollectorStatus>();
  readonly #notices: ScrapeNotices;
  #scrapes = 0;
  #samples = 0;
  /** Samples of the last full minute; undefined before the first one is over. */
  #lastMinute: number | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#recurring = new RecurringWork(options);
    this.#notices = new ScrapeNotices(options.logger);
    const onOverdue = (): void => options.manager.reportStatus(this.#describe());
    this.#overdue = new OverdueWatch({ ...options, onOverdue });
  }

  /**
   * Runs until `stop`; returns when every loop has ended, without waiting for a collector that hangs, and the series that end with
   * it have ended.
   */
  async run(collectors: readonly ScheduledCollector[], stop: AbortSignal): Promise<void> {
    this.#options.store.expect(collectors.map(({ collector: { name }, intervalMs }) => ({ name, intervalMs })));
    const loops = collectors.map((scheduled) => this.#loop(scheduled, stop));
    await Promise.all([...loops, this.#summarize(stop)]);
    for (const { collector } of collectors) this.#end(collector);
  }

  /** Stores the ends of a collector's series, with the time of now. */
  #end(collector: Collector): void {
    const { clock, store, batcher, seriesLimit } = this.#options;
    const status = this.#states.get(collector.name);
    const ends = collector.end?.() ?? [];
    if (status === undefined || ends.length === 0) return;
    const at = readInstant(clock);
    const { samples } = store.admit(seriesLimit.admit(collector.name, ends, at.monotonicMs).readings, at);
    if (samples.length === 0) return;
    batcher.add({ at, samples, status: { ...status, collected: status.collected + samples.length } });
  }

  async #loop(scheduled: ScheduledCollector, stop: AbortSignal): Promise<void> {
    const { collector, intervalMs } = scheduled;
    const fields = { collector: collector.name };
    const work = (): Promise<void> => this.#scrape(scheduled, stop);
    await this.#recurring.run({ message: 'scrape failed, will retry', fields, work }, { intervalMs, stop });
  }

  async #scrape(scheduled: ScheduledCollector, stop: AbortSignal): Promise<void> {
    const { clock, store, batcher, seriesLimit, manager } = this.#options;
    const at = readInstant(clock);
    const outcome = await this.#collect(scheduled, at.monotonicMs, stop);
    if (outcome === undefined) return;
    const durationMs = clock.monotonic() - at.monotonicMs;
    this.#overdue.end(scheduled.collector.name, scheduled.intervalMs, durationMs);
    const capped = seriesLimit.admit(scheduled.collector.name, outcome.readings, at.monotonicMs);
    const { samples, refusals: refused, valueless } = store.admit(capped.readings, at);
    this.#notices.log(scheduled.collector, { seriesNotice: capped.notice, valueless });
    const refusals = [...capped.refusals, ...refused];
    const status = this.#nextStatus(scheduled, outcome, {
      stored: samples.length,
      refusals,
      unused: valueless.length + countLeftOut(scheduled.collector),
      durationMs,
      nowMs: at.wallMs,
    });
    batcher.add({ at, samples, status });
    this.#logOutcome(status, outcome, samples.length);
    // A buffered scrape is progress too: on a full disk a restart by systemd's watchdog would only lose it.
    manager.reportProgress();
    manager.reportStatus(this.#describe());
  }

  /** Returns undefined when `stop` comes first. */
  async #collect(
    { collector, intervalMs }: ScheduledCollector,
    monotonicMs: number,
    stop: AbortSignal,
  ): Promise<ScrapeResult | undefined> {
    const ended = new AbortController();
    void this.#overdue.watch(collector.name, intervalMs, ended.signal);
    const outcome = await unlessStopped(collect(collector, monotonicMs), stop);
    ended.abort();
    return outcome;
  }

  #nextStatus(
    { collector, intervalMs }: ScheduledCollector,
    { health, message }: ScrapeResult,
    scrape: { stored: number; refusals: readonly string[]; unused: number; durationMs: number; nowMs: number },
  ): CollectorStatus {
    const before = this.#states.get(collector.name);
    const counters = before ?? this.#options.store.findCounters(collector.name) ?? createCounters();
    const { stored, refusals, unused, durationMs, nowMs } = scrape;
    const status = health === 'ok' && refusals.length > 0 ? 'failing' : health;
    return {
      collector: collector.name,
      status,
      message: toExcerpt(message || refusals.slice(0, 3).join('; '), MAX_MESSAGE_LENGTH),
      sinceMs: before?.status === status ? before.sinceMs : nowMs,
      intervalMs,
      lastScrapeMs: nowMs,
      durationMs,
      collected: counters.collected + stored,
      failed: counters.failed + refusals.length + unused + (health === 'failing' ? 1 : 0),
      durations: observe(counters.durations, COLLECTION_BOUNDS_SECONDS, durationMs / 1000),
    };
  }

  /** Logs a failure once when it begins and once when it ends; each scrape only at level debug. */
  #logOutcome(status: CollectorStatus, outcome: ScrapeResult, stored: number): void {
    const { logger } = this.#options;
    const { collector, durationMs } = status;
    const before = this.#states.get(collector)?.status ?? 'ok';
    this.#states.set(collector, status);
    this.#scrapes += 1;
    this.#samples += stored;
    logger.debug('scrape', { collector, count: stored, duration_ms: durationMs, status: status.status });
    if (status.status === before) return;
    const fields = { collector, reason: status.message };
    if (status.status === 'failing') {
      logger.warn('collector failing', {
        ...fields,
        ...(outcome.error === undefined ? {} : toErrorFields(outcome.error)),
      });
    } else if (status.status === 'absent') {
      logger.debug('collector absent on this kernel', fields);
    } else {
      logger.warn('collector recovered', { collector });
    }
  }

  /** Returns the collector's state in one line, for `systemctl status`. */
  #describe(): string {
    const { failure } = this.#options.store;
    const overdue = this.#overdue.collectors;
    const failing = [...this.#states.values()]
      .filter(({ status }) => status === 'failing')
      .map(({ collector }) => collector);
    return [
      failure === undefined ? 'collecting' : `buffering samples: ${failure}`,
      ...(failing.length > 0 ? [`failing: ${failing.join(', ')}`] : []),
      ...(overdue.length > 0 ? [`overdue: ${overdue.join(', ')}`] : []),
      ...(this.#lastMinute === undefined ? [] : [`${this.#lastMinute} samples in the last minute`]),
    ].join('; ');
  }

  async #summarize(stop: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const intervalMs = SUMMARY_INTERVAL_MS;
    for await (const _ of ticks(clock, { intervalMs, firstInMs: intervalMs, stop })) {
      logger.info('collected', { count: this.#samples, scrapes: this.#scrapes, duration_ms: intervalMs });
      this.#lastMinute = this.#samples;
      this.#scrapes = 0;
      this.#samples = 0;
    }
  }
}

function countLeftOut({ leftOut = [] }: Collector): number {
  return leftOut.reduce((sum, { count }) => sum + count, 0);
}

async function collect(collector: Collector, monotonicMs: number): Promise<ScrapeResult> {
  try {
    return { readings: await collector.collect({ monotonicMs }), health: 'ok', message: '' };
  } catch (error) {
    const health = toErrorCode(error) === 'KERNEL_FILE_ABSENT' ? 'absent' : 'failing';
    return { readings: extractReadings(error), health, message: toErrorMessage(error), error };
  }
}

/** Returns the value, or undefined when `stop` comes first: a collector that hangs must not delay the shutdown. */
function unlessStopped<T>(value: Promise<T>, stop: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve) => {
    const stopped = (): void => resolve(undefined);
    stop.addEventListener('abort', stopped, { once: true });
    void value.then(resolve).finally(() => stop.removeEventListener('abort', stopped));
  });
}
