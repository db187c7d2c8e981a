// Longer than a room should be: it is one state machine, and its transitions are to be read side by side.
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { AgentError, messageOf } from '@thugshells/shared/errors.ts';
import { errorFields } from '@thugshells/shared/logging/logger.ts';

import type { AgentState } from '@thugshells/shared/state/agent-state.ts';
import type { Instant } from './clock/clock-epochs.ts';
import type { CollectorCounters } from './status/collector-status.ts';
import { Admission, type AdmissionOptions, type Admitted } from './writing/admission.ts';
import { Ballast } from './space/ballast.ts';
import { Maintenance } from './maintenance.ts';
import { pruneDamaged } from './recovery/replace-database.ts';
import { openDatabaseSession, type DatabaseSession, type DatabaseSessionOptions } from './database-session.ts';
import { ScrapeBuffer, type StoredScrape } from './writing/scrape-buffer.ts';
import { describeFault, faultOf } from './recovery/storage-errors.ts';
import { StorageReport, type StorageFailure } from './storage-report.ts';

export interface StoreOptions extends DatabaseSessionOptions, AdmissionOptions {
  /** Scrapes are gathered this long before they are committed together; 0: those that come together are one commit. */
  readonly flushIntervalMs: number;
  /** Names of the collectors that run; what is known of others is forgotten. */
  readonly collectors: readonly string[];
  /** Bytes that this process has had written to the disk so far. */
  readonly readWrittenBytes: () => number;
  /** The built integrity-worker. */
  readonly checkWorkerFile: string;
}

/** How often the store is looked after; more often while there are rows to copy. */
const TICK_MS = 1_000;
const COPYING_TICK_MS = 50;
/** A card on which new databases break as well is not healed by making more of them. */
const HEAL_INTERVAL_MS = 60_000;
/** While samples wait, storing them is tried this often. */
const RETRY_INTERVAL_MS = 5_000;

/**
 * Where samples go: into the database while it takes them, and into memory while it does not.
 *
 *   open      every commit goes through
 *   waiting   a commit failed for want of space or permission: scrapes stay in a bounded buffer, each flush tries again,
 *             after giving up what is missed least; the oldest scrapes make way and are booked as lost
 *               → open, when a commit goes through
 *   damaged   a commit, the check at the start or the uploader met damage: a new database takes the place of the
 *             damaged one, rows are copied over beside the collection
 *               → open, or waiting where that fails
 */
export class Store {
  readonly #options: StoreOptions;
  readonly #admission: Admission;
  readonly #buffer = new ScrapeBuffer();
  readonly #ballast: Ballast;
  readonly #storageReport: StorageReport;
  #open: DatabaseSession | undefined;
  #maintenance: Maintenance | undefined;
  #trouble: StorageFailure | undefined;
  #toldTrouble: string | undefined;
  /** Told once, not every second. */
  #careFailed = false;
  #flushedAt: number;
  #healedAt = -Infinity;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#admission = new Admission(options);
    this.#ballast = new Ballast(options.dbPath);
    this.#storageReport = new StorageReport(options);
    this.#flushedAt = options.clock.monotonic();
  }

  /**
   * Opens the database; on a full disk collection begins without it.
   *
   * @throws AgentError for what an operator has to mend: a folder that is missing or another's
   */
  open(): void {
    try {
      this.#use(openDatabaseSession(this.#options));
      this.#ballast.ensure();
    } catch (error) {
      if (faultOf(error) !== 'full') throw error;
      this.#ballast.release();
      this.#wait(error);
    }
  }

  /** Turns the readings of a scrape into samples that may be stored. */
  admit(readings: readonly Reading[], at: Instant): Admitted {
    // A clock that stands before the build is held later on, not refused here.
    return this.#admission.admit(readings, Math.max(at.wallMs, this.#options.builtAtMs));
  }

  /** How a collector's counters stood at the end of the last process. */
  countersOf(collector: string): CollectorCounters | undefined {
    return this.#open?.statuses.countersOf(collector);
  }

  /** What both programs left of themselves in the database; undefined while there is none. */
  agentState(): AgentState | undefined {
    return this.#open?.agent.read();
  }

  /** How far the wall clock is ahead of the receiver's, in milliseconds; undefined until they were compared. */
  skewMs(): number | undefined {
    return this.#open?.epochs.skewMs();
  }

  /** Why samples wait in memory; undefined where they are stored. */
  get failure(): string | undefined {
    return this.#trouble?.reason;
  }

  /** Takes scrapes: they are stored now, in one commit, or with the next flush, or kept while the database does not take them. */
  add(...scrapes: readonly StoredScrape[]): void {
    for (const scrape of scrapes) {
      // Nothing makes way in memory for what the database would take.
      if (!this.#buffer.hasRoomFor(scrape)) this.#flushUnlessWaiting();
      this.#buffer.add(scrape);
    }
    const { clock, flushIntervalMs } = this.#options;
    const isDue = clock.monotonic() - this.#flushedAt >= flushIntervalMs || this.#buffer.isHalfFull;
    if (isDue) this.#flushUnlessWaiting();
  }

  /** Commits what has gathered; true where nothing is left in memory. */
  flush(): boolean {
    this.#flushedAt = this.#options.clock.monotonic();
    for (let attempt = 1; attempt <= 2; attempt++) {
      try {
        this.#commitAll();
        return true;
      } catch (error) {
        const isMended = attempt === 1 && this.#mend(error);
        if (!isMended) {
          this.#wait(error);
          return false;
        }
      }
    }
    return false;
  }

  /** Looks after the store until `stop`. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!stop.aborted) {
      await clock.sleep(this.#maintenance?.isCopying === true ? COPYING_TICK_MS : TICK_MS, stop);
      if (!stop.aborted) this.#tick();
    }
  }

  /** Stores what is in memory, ends the session, and moves the WAL into the database. */
  close(): void {
    const { clock, logger } = this.#options;
    if (!this.flush()) logger.error('samples that were only in memory are lost', { count: this.#buffer.samples });
    const open = this.#open;
    if (open === undefined) return;
    this.#maintenance?.stop();
    this.#open = undefined;
    try {
      open.closeSession(clock.now());
      open.wal.checkpoint();
    } catch (error) {
      // Everything that was committed stands; the next start ends the session and moves the WAL.
      logger.error('the database could not be left as it should be', errorFields(error));
    }
    open.database.close();
  }

  /** While samples wait, the tick tries again: not every scrape. */
  #flushUnlessWaiting(): void {
    if (this.#trouble === undefined) this.flush();
  }

  #use(open: DatabaseSession): void {
    const { collectors } = this.#options;
    this.#open = open;
    this.#maintenance = new Maintenance(open, { ...this.#options, ballast: this.#ballast });
    this.#admission.know(open.writer.names());
    open.statuses.keepOnly(collectors);
    this.#buffer.forgetMoments();
  }

  #commitAll(): void {
    if (this.#open === undefined) this.#use(openDatabaseSession(this.#options));
    const open = this.#open!;
    open.wal.checkpointIfDue();
    if (this.#isWalStuck(open)) throw walStuck();
    // After trouble one scrape shows whether it is over: thousands of rows are not written to be rolled back.
    if (this.#trouble !== undefined) this.#commit(open, 0);
    this.#recovered();
    while (!this.#buffer.isEmpty) {
      this.#commit(open);
      open.wal.checkpointIfDue();
    }
    this.#maintenance?.evict();
  }

  #commit({ writer }: DatabaseSession, mostSamples?: number): void {
    const group = this.#buffer.group(mostSamples);
    writer.commit(group, this.#buffer.loss);
    this.#buffer.committed(group.length);
  }

  /** The WAL cannot be emptied, and with it the database would be larger than it may be. */
  #isWalStuck({ wal }: DatabaseSession): boolean {
    return wal.blockedSinceMs !== undefined && wal.walBytes() >= this.#options.limits.walMaxBytes;
  }

  /** Does what a fault calls for; true where it is worth trying again at once. */
  #mend(error: unknown): boolean {
    switch (faultOf(error)) {
      case 'damaged':
        return this.#heal(messageOf(error));
      case 'full':
        return this.#free();
      case 'unusable':
        return false;
    }
  }

  #heal(fault: string): boolean {
    const { clock, logger, dbPath } = this.#options;
    if (clock.monotonic() - this.#healedAt < HEAL_INTERVAL_MS) return false;
    this.#healedAt = clock.monotonic();
    this.#abandon();
    try {
      this.#use(openDatabaseSession(this.#options, fault));
      return true;
    } catch (error) {
      logger.error('no new database could be made', { path: dbPath, ...errorFields(error) });
      return false;
    }
  }

  #abandon(): void {
    this.#maintenance?.stop();
    this.#maintenance = undefined;
    this.#open?.database.close();
    this.#open = undefined;
  }

  /** Releases the ballast and deletes a slice of what is missed least; true where that gave room. */
  #free(): boolean {
    const released = this.#ballast.release();
    const open = this.#open;
    if (open === undefined) return released;
    try {
      // What is kept of damaged databases is worth less than what comes in.
      if (!open.salvages.isCopying) pruneDamaged(this.#options.dbPath, 0);
      open.wal.checkpoint();
      // At the cap pending rows make way too; on a disk that others have filled, only what has been delivered does.
      const slice = open.retention.isOverLimit ? open.retention.evict() : open.retention.evictSettled();
      return released || (slice?.rows ?? 0) > 0;
    } catch {
      // The commit that is tried again says what is wrong.
      return released;
    }
  }

  /** Samples wait in memory from now on; told once for each reason. */
  #wait(error: unknown): void {
    const { clock, logger } = this.#options;
    const { reason, hint } = describeFault(error);
    this.#trouble = { reason, sinceMs: this.#trouble?.sinceMs ?? clock.now() };
    if (this.#toldTrouble === reason) return;
    this.#toldTrouble = reason;
    logger.error('samples cannot be stored and wait in memory', {
      ...errorFields(error),
      hint,
      count: this.#buffer.samples,
    });
    this.#report();
  }

  #recovered(): void {
    if (this.#trouble === undefined) return;
    const { clock, logger } = this.#options;
    logger.warn('samples are stored again', {
      reason: this.#trouble.reason,
      duration_ms: clock.now() - this.#trouble.sinceMs,
    });
    this.#trouble = undefined;
    this.#toldTrouble = undefined;
    this.#report();
  }

  #report(): void {
    if (this.#open !== undefined)
      this.#storageReport.save(this.#open, { trouble: this.#trouble, waiting: this.#buffer.samples });
  }

  #tick(): void {
    const { clock, flushIntervalMs, logger } = this.#options;
    const sinceFlushMs = clock.monotonic() - this.#flushedAt;
    const isDue =
      this.#trouble === undefined
        ? sinceFlushMs >= flushIntervalMs && !this.#buffer.isEmpty
        : sinceFlushMs >= RETRY_INTERVAL_MS;
    if (isDue) this.flush();
    if (this.#storageReport.isDue) this.#report();
    if (this.#maintenance === undefined || this.#trouble !== undefined) return;
    try {
      const fault = this.#maintenance.work();
      if (fault !== undefined) this.#heal(fault);
      this.#careFailed = false;
    } catch (error) {
      if (this.#mend(error) || this.#careFailed) return;
      this.#careFailed = true;
      logger.error('the store could not be looked after', errorFields(error));
    }
  }
}

function walStuck(): AgentError {
  return new AgentError('another program reads the database and keeps its WAL from being emptied', {
    code: 'WAL_STUCK',
    hint: 'end whatever has the database open besides the two programs; with a longer WAL THUGSHELLS_DB_MAX_SIZE would not hold',
  });
}
