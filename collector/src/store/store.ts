import { waitLongForLocks } from '@thugshells/shared/database/open.ts';
import { isLocked, requireWriteLock } from '@thugshells/shared/database/write-lock.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';
import { toErrorFields } from '@thugshells/shared/logging/logger.ts';
import type { AgentState } from '@thugshells/shared/state/agent-state.ts';
import type { CollectorCounters } from '@thugshells/shared/state/collector-status.ts';
import { RecurringWork } from '@thugshells/shared/recurring-work.ts';

import type { Instant } from './clock/epoch-transition.ts';
import { Admission, type AdmissionOptions, type Admitted } from './writing/admission.ts';
import { Ballast } from './space/ballast.ts';
import type { Maintenance } from './maintenance.ts';
import { DatabaseHolder } from './database-holder.ts';
import type { DatabaseSession, DatabaseSessionOptions } from './database-session.ts';
import { FailedCommits } from './failed-commits.ts';
import { commitBuffer } from './writing/commit-buffer.ts';
import { ScrapeBuffer, type StoredScrape } from './writing/scrape-buffer.ts';
import { StartCheck } from './recovery/integrity.ts';
import { classifyStorageError } from './recovery/storage-errors.ts';
import { StorageReport } from './storage-report.ts';
import type { ExpectedCollector } from './status/collector-status.ts';
import type { StorageFailure } from './store-state.ts';

export interface StoreOptions extends DatabaseSessionOptions, AdmissionOptions {
  /** FLUSH_INTERVAL, for the report; CommitBatcher keeps it. */
  readonly flushIntervalMs: number;
  /** Names of the collectors that run; the status of others is deleted. */
  readonly collectors: readonly string[];
  /** Returns the bytes that this process has written to the disk so far. */
  readonly readWrittenBytes: () => number;
  /** The built integrity-worker. */
  readonly checkWorkerFile: string;
}

/**
 * Stores samples in the database, and buffers them in memory while that cannot be written.
 * store-state.ts has its states and transitions.
 */
export class Store {
  readonly #options: StoreOptions;
  readonly #admission: Admission;
  readonly #buffer = new ScrapeBuffer();
  readonly #ballast: Ballast;
  readonly #report: StorageReport;
  readonly #failedCommits: FailedCommits;
  readonly #holder: DatabaseHolder;
  #expected: readonly ExpectedCollector[] = [];
  /** Whether the last maintenance failed: it is logged when that begins. */
  #isMaintenanceFailing = false;

  constructor(options: StoreOptions) {
    this.#options = { startCheck: new StartCheck(), ...options };
    this.#admission = new Admission(options);
    this.#ballast = new Ballast(options.dbPath);
    this.#report = new StorageReport(options);
    this.#failedCommits = new FailedCommits(options);
    this.#holder = new DatabaseHolder({
      ...this.#options,
      ballast: this.#ballast,
      onOpened: (session) => this.#prepare(session),
    });
  }

  /**
   * Opens the database; on a full disk, or while another program has it locked, collection starts without it.
   *
   * @throws AgentError when an operator has to act: a folder is missing or may not be written
   */
  open(): void {
    try {
      this.#holder.open();
      this.#ballast.ensure();
    } catch (error) {
      const kind = classifyStorageError(error);
      if (kind !== 'full' && kind !== 'locked') throw error;
      if (kind === 'full') this.#ballast.release();
      this.#startBuffering(error);
    }
  }

  /** Turns the readings of a scrape into samples that may be stored. */
  admit(readings: readonly Reading[], at: Instant): Admitted {
    // Samples of a clock before the build are held later, not refused here.
    return this.#admission.admit(readings, Math.max(at.wallMs, this.#options.builtAtMs));
  }

  /** Names the collectors that run: each is in the database from its first commit on. */
  expect(collectors: readonly ExpectedCollector[]): void {
    this.#expected = collectors;
    this.#holder.session?.statuses.expect(collectors);
  }

  /** Returns a collector's counters at the end of the last process; undefined without a database. */
  findCounters(collector: string): CollectorCounters | undefined {
    return this.#holder.session?.statuses.findCounters(collector);
  }

  /** Reads the state that both programs keep in the database; undefined while there is none. */
  readAgentState(): AgentState | undefined {
    try {
      return this.#holder.session?.agent.read();
    } catch (error) {
      // Corruption that only this reader meets leads to a rebuild too.
      if (classifyStorageError(error) === 'corrupt' && this.#repair(error)) return this.#holder.session?.agent.read();
      throw error;
    }
  }

  /** How far the wall clock is ahead of the receiver's, in milliseconds; undefined until they were compared. */
  skewMs(): number | undefined {
    return this.#holder.session?.epochs.skewMs();
  }

  /** Why samples are buffered in memory; undefined while they are stored. */
  get failure(): string | undefined {
    return this.#holder.failure?.reason;
  }

  /** Adds a scrape to the buffer, which is flushed when it is half full. */
  add(scrape: StoredScrape): void {
    // Flush first: nothing is dropped from the buffer while the database can be written.
    if (!this.#buffer.hasSpaceFor(scrape)) this.flush();
    this.#buffer.add(scrape);
    if (this.#buffer.isHalfFull) this.flush();
  }

  /** Commits the buffer, unless a commit has failed, which run() retries; returns whether everything is stored. */
  flush(): boolean {
    return this.#holder.state.name !== 'buffering' && this.#commitPending();
  }

  /** Maintains the database, and retries commits that failed, until `stop`. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const intervalMs = (): number => this.#failedCommits.lockRetryMs ?? this.#holder.intervalMs;
    const task = { message: 'cannot maintain the store, will retry', work: () => this.#tick() };
    await new RecurringWork({ clock, logger }).run(task, { intervalMs, firstInMs: intervalMs(), stop });
  }

  /** Commits the buffer, ends the session and checkpoints the WAL. */
  close(): void {
    if (this.#holder.state.name === 'closed') return;
    // What is not committed now is lost.
    if (this.#holder.session !== undefined) waitLongForLocks(this.#holder.session.database);
    this.#failedCommits.end();
    this.#holder.finishDisturbance();
    if (!this.#commitPending())
      this.#options.logger.error('buffered samples lost', { count: this.#buffer.sampleCount });
    this.#holder.close();
  }

  /** Prepares the store for a database that was opened. */
  #prepare(session: DatabaseSession): void {
    this.#admission.addStoredNames(session.writer.readNames());
    session.statuses.keepOnly(this.#options.collectors);
    session.statuses.expect(this.#expected);
    this.#buffer.forgetMoments();
  }

  /** Commits the buffer, after a repair if that helps; returns whether it is empty. */
  #commitPending(mayRepair = true): boolean {
    if (this.#holder.state.name === 'closed' || this.#holder.isDisturbed) return false;
    try {
      this.#commitAll();
      return true;
    } catch (error) {
      if (mayRepair && this.#repair(error)) return this.#commitPending(false);
      this.#startBuffering(error);
      return false;
    }
  }

  #commitAll(): void {
    // A retry finds out first whether the lock is free, which takes no time.
    if (this.#failedCommits.isLocked) requireWriteLock(this.#options.dbPath, this.#holder.session?.database);
    const { writer, wal } = this.#holder.session ?? this.#holder.open();
    const failure = this.#holder.failure;
    const onTrialCommitted = failure && (() => this.#stopBuffering(failure));
    commitBuffer(this.#buffer, { writer, wal, limits: this.#options.limits, onTrialCommitted });
    this.#holder.database?.maintenance.evict();
    this.#holder.remember();
  }

  /** Repairs what caused an error of the database; returns whether to retry at once. */
  #repair(error: unknown): boolean {
    switch (classifyStorageError(error)) {
      case 'corrupt':
        return this.#holder.rebuild(toErrorMessage(error));
      case 'full':
        return this.#freeSpace();
      case 'locked':
      case 'unusable':
        return false;
    }
  }

  /** Releases the ballast and evicts rows; returns whether that freed space. */
  #freeSpace(): boolean {
    const isReleased = this.#ballast.release();
    const isEvicted = this.#holder.database?.maintenance.freeSpace() === true;
    return isReleased || isEvicted;
  }

  /** Buffers samples in memory from now on. */
  #startBuffering(cause: unknown): void {
    const { error, reason, isLogged } = this.#failedCommits.add(cause);
    this.#holder.apply({ type: 'commit failed', reason, nowMs: this.#options.clock.now() });
    if (!isLogged) return;
    this.#report.logFailure(error, this.#buffer.sampleCount);
    this.#saveReport();
  }

  #stopBuffering(failure: StorageFailure): void {
    this.#holder.apply({ type: 'committed' });
    if (!this.#failedCommits.end()) return;
    this.#report.logRecovery(failure);
    this.#saveReport();
  }

  #saveReport(): void {
    const { session } = this.#holder;
    if (session === undefined) return;
    this.#report.save(session, { failure: this.#holder.failure, pending: this.#buffer.sampleCount });
  }

  #tick(): void {
    const error = this.#holder.followGuard();
    if (error !== undefined) this.#startBuffering(error);
    if (this.#holder.isDisturbed) return;
    if (this.#holder.state.name === 'buffering' && this.#failedCommits.isRetryDue) this.#commitPending();
    if (this.#report.isDue) this.#saveReport();
    const { state } = this.#holder;
    if (state.name === 'open') this.#maintain(state.database.maintenance);
  }

  #maintain(maintenance: Maintenance): void {
    try {
      const corruption = maintenance.work();
      if (corruption !== undefined) this.#holder.rebuild(corruption);
      this.#holder.remember();
      this.#isMaintenanceFailing = false;
    } catch (error) {
      if (isLocked(error)) return this.#startBuffering(error);
      if (this.#repair(error) || this.#isMaintenanceFailing) return;
      this.#isMaintenanceFailing = true;
      this.#options.logger.error('maintenance failed, will retry', toErrorFields(error));
    }
  }
}
