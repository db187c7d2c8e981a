// Longer than a file should be: each kind of receiver and proxy between it and the device.
import type { IdRange } from '../../../shared/src/database/id-ranges.ts';
import { toRanges } from '../../../shared/src/database/id-ranges.ts';
import { completeCommit, planCommit } from '../../../uploader/src/queue/replay-commit.ts';
import { createReplayWindow, type ReplayWindow } from '../../../uploader/src/queue/replay-state.ts';
import { applyAnswer, applyResponse, applySign, findNextQuestion } from '../../../uploader/src/queue/replay-window.ts';
import type { RestartAnswer, RestartSign } from '../../../uploader/src/queue/restart-signs.ts';

/** What stands between the uploader and the receiver. */
export interface SimulatedPathOptions {
  /** Whether a proxy keeps the connection to the uploader while the receiver is down, and responds 502. */
  readonly isProxied: boolean;
  /** The connection ends after each response, announced or not; or after an idle timeout, announced or not; or never. */
  readonly ends: 'after each' | 'unannounced after each' | 'announced timeout' | 'timeout' | 'never';
  readonly idleTimeoutMs: number;
  /** How long after the receiver's death the end of its connection arrives; beyond hours: never. */
  readonly endDelayMs: number;
  /** The proxy responds 503 to a request this soon after the last one that it let through, as nginx' limit_req does. */
  readonly limitMs: number;
  /** Whether the receiver says since when it runs. */
  readonly isReadable: boolean;
  readonly uploadIntervalMs: number;
  /** Whether the end of a connection is noticed before the response over it. */
  readonly endsComeFirst: boolean;
  /** How much too low the uptime is, at most 2 s. */
  readonly uptimeLagMs: number;
}

/** What happens from outside. */
export interface SimulatedEvent {
  readonly afterMs: number;
  readonly kind: 'kill' | 'connection ends' | 'response lost';
  /** For how long the receiver is down. */
  readonly downMs: number;
}

interface SimulatedConnection {
  readonly number: number;
  idleSinceMs: number;
  /** The receiver's process that it leads to has died; its end arrives then. */
  endsAtMs: number;
  isDead: boolean;
}

export const WINDOW_MS = 15_000;
export const QUESTION_INTERVAL_MS = 5_000;
/** VictoriaMetrics writes to disk what it accepted within this time. */
const FLUSH_MS = 5_000;
const TICK_MS = 100;

/** The replay window with a receiver that forgets its last 5 s when it is killed, and the path to it. */
export class SimulatedPath {
  readonly #options: SimulatedPathOptions;
  #window: ReplayWindow = createReplayWindow({ lengthMs: WINDOW_MS, questionIntervalMs: QUESTION_INTERVAL_MS });
  #nowMs = 100_000;
  #nextUploadMs: number;
  #connection: SimulatedConnection | undefined;
  #connections = 0;
  #admittedAtMs = -Infinity;
  #rows = 0;
  #isAway = false;
  #losesResponse = false;
  // The receiver.
  #startedAtMs = 0;
  #upAtMs = 0;
  readonly #memory = new Map<number, number>();
  readonly #disk = new Set<number>();
  // The queue.
  #lastId = 0;
  readonly #pending = new Set<number>();
  readonly #sent = new Map<number, number>();
  /** When each question was asked. */
  readonly questions: number[] = [];
  /** Whether a request failed while the receiver was down after its last death. */
  #isFailureSeen = true;
  restarts = 0;

  constructor(options: SimulatedPathOptions) {
    this.#options = options;
    this.#nextUploadMs = this.#nowMs;
  }

  /** Lets time pass, with one event at its end. */
  perform({ afterMs, kind, downMs }: SimulatedEvent): void {
    this.pass(afterMs);
    if (kind === 'response lost') this.#losesResponse = true;
    else if (kind === 'connection ends') this.#endConnection(false);
    else this.#kill(downMs);
  }

  pass(ms: number, tickMs = TICK_MS): void {
    for (const untilMs = this.#nowMs + ms; this.#nowMs < untilMs; this.#nowMs += tickMs) this.#tick();
  }

  /** Samples that count as delivered, and that the receiver does not have. */
  get lost(): number[] {
    return [...this.#sent.keys()].filter(
      (id) => !this.#pending.has(id) && !this.#disk.has(id) && !this.#memory.has(id),
    );
  }

  /** Whether the receiver was asked, and could not say since when it runs. */
  get isUnreadable(): boolean {
    return this.#window.question.unreadableUntilMs > -Infinity;
  }

  /** How often the sample that was sent most often was sent again. */
  get mostRepeats(): number {
    return Math.max(0, ...this.#sent.values()) - 1;
  }

  /** The age of the oldest samples that are still provisional. */
  get oldestProvisionalMs(): number {
    return Math.max(0, ...this.#window.provisional.map(({ acceptedAtMs }) => this.#nowMs - acceptedAtMs));
  }

  get #isUp(): boolean {
    return this.#nowMs >= this.#upAtMs && this.#isFailureSeen;
  }

  /** Whether a kill ends a connection that the uploader watches whenever samples are provisional. */
  get #isWatched(): boolean {
    const { isProxied, ends } = this.#options;
    return !isProxied && ends === 'never';
  }

  #kill(downMs: number): void {
    this.#memory.clear();
    this.restarts += 1;
    this.#upAtMs = this.#nowMs + downMs;
    // On a path without a connection to watch, nothing but a failed request can tell.
    this.#isFailureSeen = this.#isWatched;
    this.#startedAtMs = Math.max(this.#upAtMs, this.#nowMs);
    if (this.#options.isProxied || this.#connection === undefined || this.#connection.isDead) return;
    this.#connection.isDead = true;
    this.#connection.endsAtMs = this.#nowMs + this.#options.endDelayMs;
  }

  #tick(): void {
    for (const [id, atMs] of this.#memory) {
      if (this.#nowMs - atMs < FLUSH_MS) continue;
      this.#memory.delete(id);
      this.#disk.add(id);
    }
    const { ends, idleTimeoutMs, uploadIntervalMs } = this.#options;
    const connection = this.#connection;
    if (connection?.isDead === true && this.#nowMs >= connection.endsAtMs) this.#endConnection(false);
    const hasTimeout = ends === 'timeout' || ends === 'announced timeout';
    if (hasTimeout && connection?.isDead === false && this.#nowMs - connection.idleSinceMs >= idleTimeoutMs)
      this.#endConnection(ends === 'announced timeout');
    if (this.#nowMs >= this.#nextUploadMs) {
      this.#nextUploadMs = this.#nowMs + uploadIntervalMs;
      this.#upload();
    }
    const dueMs = findNextQuestion(this.#window);
    // As RestartCheck does, so that it does not always come right after an upload.
    const questionMs = dueMs === undefined ? undefined : dueMs + ((this.questions.length * 377) % 1_000);
    if (questionMs !== undefined && questionMs <= this.#nowMs && !this.#isAway) this.#ask();
  }

  #upload(): void {
    this.#pending.add((this.#lastId += 1));
    this.#isAway = !this.#post();
  }

  /** Sends everything that is pending; a second time, at once, if the connection had been closed. */
  #post(isRetry = false): boolean {
    const ids = [...this.#pending];
    const connection = this.#connect();
    if (connection === undefined) return false;
    const idleBeforeMs = connection.isNew ? undefined : this.#nowMs - connection.used.idleSinceMs;
    if (connection.used.isDead) {
      this.#endConnection(false, true);
      return isRetry ? false : this.#post(true);
    }
    if (this.#isRefusedByProxy()) return false;
    for (const id of ids) this.#sent.set(id, (this.#sent.get(id) ?? 0) + 1);
    for (const id of ids) if (!this.#disk.has(id)) this.#memory.set(id, this.#nowMs);
    if (this.#losesResponse) {
      this.#losesResponse = false;
      this.#sign({
        kind: 'connection ended',
        isAnnounced: false,
        idleMs: undefined,
        connection: this.#drop(),
      });
      return false;
    }
    const number = connection.used.number;
    const ranges: IdRange[] = toRanges(ids);
    for (const id of ids) this.#pending.delete(id);
    const isClosing = this.#options.ends === 'after each';
    this.#afterResponse(connection.used, () => {
      const accepted = { ranges, count: ids.length };
      const response = { connection: number, isClosing, idleBeforeMs, sentAtMs: this.#nowMs, accepted };
      this.#window = applyResponse(this.#window, response, this.#nowMs);
    });
    this.#commit();
    return true;
  }

  #ask(): void {
    const askedAtMs = this.#nowMs;
    this.questions.push(askedAtMs);
    const apply = (answer: RestartAnswer): void => {
      this.#window = applyAnswer(this.#window, answer, { askedAtMs, nowMs: this.#nowMs });
    };
    const connection = this.#connect();
    if (connection?.used.isDead === true) this.#endConnection(false, true);
    if (connection === undefined || connection.used.isDead || this.#isRefusedByProxy()) apply({ kind: 'unanswered' });
    else if (!this.#options.isReadable) this.#afterResponse(connection.used, () => apply({ kind: 'unreadable' }));
    else {
      const uptimeMs =
        Math.floor(Math.max(0, this.#nowMs - this.#options.uptimeLagMs - this.#startedAtMs) / 1000) * 1000;
      const times = { earliestMs: askedAtMs - uptimeMs - 3_000, latestMs: this.#nowMs - uptimeMs };
      const isClosing = this.#options.ends === 'after each';
      const number = isClosing ? undefined : connection.used.number;
      this.#afterResponse(connection.used, () => apply({ kind: 'started', ...times, connection: number }));
    }
    this.#commit();
  }

  /** Returns the connection for a request; undefined if it is refused. */
  #connect(): { readonly used: SimulatedConnection; readonly isNew: boolean } | undefined {
    if (this.#connection !== undefined) return { used: this.#connection, isNew: false };
    if (!this.#options.isProxied && !this.#isUp) {
      this.#isFailureSeen = true;
      this.#sign({ kind: 'connection refused' });
      return undefined;
    }
    const number = (this.#connections += 1);
    this.#connection = { number, idleSinceMs: this.#nowMs, endsAtMs: Infinity, isDead: false };
    return { used: this.#connection, isNew: true };
  }

  #isRefusedByProxy(): boolean {
    const { isProxied, limitMs } = this.#options;
    const isLimited = this.#nowMs - this.#admittedAtMs < limitMs;
    if (!isLimited) this.#admittedAtMs = this.#nowMs;
    if (!isLimited && (!isProxied || this.#isUp)) return false;
    if (this.#connection !== undefined) this.#connection.idleSinceMs = this.#nowMs;
    if (!isLimited) this.#isFailureSeen = true;
    this.#sign({ kind: 'proxy error' });
    return true;
  }

  #afterResponse(connection: SimulatedConnection, record: () => void): void {
    connection.idleSinceMs = this.#nowMs;
    const { ends, endsComeFirst } = this.#options;
    const endsNow = ends === 'after each' || ends === 'unannounced after each';
    if (endsNow && endsComeFirst) this.#endConnection(ends === 'after each');
    record();
    if (endsNow && !endsComeFirst) this.#endConnection(ends === 'after each');
  }

  #endConnection(isAnnounced: boolean, isDuringRequest = false): void {
    if (this.#connection === undefined) return;
    const idleMs = isDuringRequest ? undefined : this.#nowMs - this.#connection.idleSinceMs;
    this.#sign({ kind: 'connection ended', isAnnounced, idleMs, connection: this.#drop() });
  }

  #drop(): number {
    const { number } = this.#connection!;
    this.#connection = undefined;
    return number;
  }

  #sign(sign: RestartSign): void {
    this.#window = applySign(this.#window, sign, this.#nowMs);
    this.#commit();
  }

  /** Commits as Acknowledgements does. */
  #commit(): void {
    const plan = planCommit(this.#window);
    const saved = plan.save.map((group) => ({ ...group, acceptedAtMs: this.#nowMs, rowId: (this.#rows += 1) }));
    this.#window = completeCommit(this.#window, plan, saved);
    for (const [first, last] of plan.requeue) for (let id = first; id <= last; id++) this.#pending.add(id);
  }
}
