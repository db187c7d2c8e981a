// Longer than a module should be: whatever happens on a device is one method each.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { RestartAnswer } from '../../../uploader/src/queue/restart-signs.ts';
import type { HealthResponse } from '../../../uploader/src/transport/transport.ts';
import type { SpaceLimits } from '../../../collector/src/store/space/limits.ts';
import { replyTo, type Reply } from './answers.ts';
import { Promises } from './promises.ts';
import { Receiver, type Arrived } from './receiver.ts';
import { ProgramProcess, type Outcome, type Question } from './program-process.ts';
import type { Answer, BoardStep, Setup, Step } from './steps.ts';
import { readState } from './stored-state.ts';

const START_MS = 1_700_000_000_000;
const BUILT_AT_MS = START_MS - 86_400_000;
const REPLAY_WINDOW_MS = 15_000;
/** What the tables take before there is a row. */
const EMPTY_BYTES = 60_000;

const TRACE_LENGTH = 40;

type Who = 'collector' | 'uploader';

/**
 * A board with both programs, the world's time, its own clock, and a receiver.
 */
export class Board {
  readonly promises = new Promises();
  readonly receiver = new Receiver();
  /** What happened last, for the report of a failure. */
  readonly trace: string[] = [];
  readonly #setup: Setup;
  readonly #folder: string;
  readonly #processes: Partial<Record<Who, ProgramProcess>> = {};
  #nowMs = START_MS;
  #offsetMs = 0;
  #samples = 0;
  #answers: Answer[] = [];
  #meanwhile: BoardStep[] = [];
  /** The uploader knows of the receiver's last death: it has asked since, or was started since. */
  #isInformed = true;
  /** It has asked, and may not have read the answer yet. */
  #isAnswered = false;
  #isPinged = true;
  #receiverStartedAtMs = 0;
  /** The end of a receiver that has just answered. */
  #dying: Promise<void> = Promise.resolve();
  /** The answer to the last post. What happens meanwhile goes on where the uploader is killed before it has the answer. */
  #answering: Promise<unknown> = Promise.resolve();
  /** What went wrong while a post was on its way. */
  #fault: Error | undefined;

  constructor(folder: string, setup: Setup) {
    this.#setup = setup;
    this.#folder = mkdtempSync(join(folder, 'board-'));
  }

  get #path(): string {
    return join(this.#folder, 'metrics.db');
  }

  /** Starts both programs. */
  async begin(): Promise<void> {
    await this.#running('uploader');
  }

  async perform(step: Step): Promise<void> {
    switch (step.kind) {
      case 'collect':
        for (let scrape = 0; scrape < step.scrapes; scrape++) await this.#scrape(step);
        return;
      case 'wait':
        return this.#pass(step.ms);
      case 'flush':
        return this.#flush();
      case 'clock':
        return this.#setClock(step.offset === 'unset' ? -this.#nowMs : step.offset);
      case 'upload':
        this.#answers = [...step.answers];
        this.#meanwhile = [...step.meanwhile];
        return this.#upload(step.commits);
      case 'commit':
        return this.#call('uploader', 'commit').then(() => undefined);
      case 'ping':
        return this.#call('uploader', 'ping').then(() => undefined);
      case 'connection ends':
        return this.#lose(this.receiver.endConnection());
      case 'receiver dies':
        return this.#dies();
      case 'uploader and receiver die':
        await this.#kill('uploader');
        return this.#dies();
      case 'requeue':
        return this.#requeue(step);
      case 'kill':
        return this.#kill(step.who);
      case 'restart':
        return this.#restart(step.who);
      case 'kill in the middle': {
        const { of } = step;
        const program = await this.#running(of.kind === 'upload' ? 'uploader' : 'collector');
        await program.call('killBeforeStatement', { count: step.statements });
        return this.perform(of.kind === 'upload' ? { kind: 'upload', answers: [], meanwhile: [], commits: true } : of);
      }
    }
  }

  /** Sets everything right, sends all that there is, and holds the end against the promises. */
  async drain(): Promise<void> {
    await this.#setClock(0);
    for (const who of ['collector', 'uploader'] as const) await this.#restart(who);
    for (let round = 0; round < 40; round++) {
      // A receiver that refuses some samples is believed only while it takes others.
      await this.perform({ kind: 'collect', scrapes: 2, series: 3, gapMs: 1_000 });
      await this.#flush();
      await this.perform({ kind: 'upload', answers: [], meanwhile: [], commits: true });
      // A doubt after several that were unfounded is settled within ten minutes.
      await this.#pass(round < 3 ? REPLAY_WINDOW_MS + 1_000 : 120_000);
      await this.#call('uploader', 'ping');
      if (this.promises.isAllFinal) break;
    }
    this.promises.holdAtTheEnd(this.receiver);
  }

  async end(): Promise<void> {
    for (const program of Object.values(this.#processes)) await program.kill();
    rmSync(this.#folder, { recursive: true });
  }

  async #scrape({ series, gapMs }: { readonly series: number; readonly gapMs: number }): Promise<void> {
    await this.#pass(gapMs);
    await this.#running('collector');
    const wallMs = this.#nowMs + this.#offsetMs;
    const values = Array.from({ length: series }, (_, index): [number, number] => [index, (this.#samples += 1)]);
    for (const [index, value] of values) {
      this.promises.give({ value, series: index, wallMs, atMs: this.#nowMs, isTrusted: wallMs >= BUILT_AT_MS });
    }
    const outcome = await this.#call<boolean>('collector', 'scrape', { values });
    if (outcome.kind === 'done' && outcome.result) this.promises.confirm();
  }

  async #flush(): Promise<void> {
    const outcome = await this.#call<boolean>('collector', 'flush');
    if (outcome.kind === 'done' && outcome.result) this.promises.confirm();
  }

  /** Time passes for all. */
  async #pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    this.receiver.writeUntil(this.#nowMs);
    // Nothing in the uploader's process wakes by itself.
    await this.#processes.uploader?.call('advance', { ms });
    // It may have requeued what the receiver lost, which the collector may delete next.
    this.#observe();
    if (this.#processes.collector?.isRunning === true) await this.#call('collector', 'advance', { ms });
  }

  async #setClock(offsetMs: number): Promise<void> {
    const ms = offsetMs - this.#offsetMs;
    this.#offsetMs = offsetMs;
    for (const program of Object.values(this.#processes)) await program.call('step', { ms });
  }

  async #upload(commits: boolean): Promise<void> {
    await this.#call('uploader', 'cycle');
    await this.#answering;
    await this.#dying;
    if (this.#fault !== undefined) throw this.#fault;
    if (commits) await this.#call('uploader', 'commit');
  }

  async #requeue({
    from,
    to,
    isQuarantined,
  }: {
    readonly from: number;
    readonly to: number;
    readonly isQuarantined: boolean;
  }): Promise<void> {
    const time = (share: number): number => START_MS + Math.floor(share * (this.#nowMs - START_MS));
    const range = { fromMs: time(Math.min(from, to)), toMs: time(Math.max(from, to)) };
    await this.#call('uploader', 'requeue', { range, isQuarantined });
  }

  /** A command to a program, which is started where it does not run; then everything is held against the promises. */
  async #call<T>(who: Who, command: string, args: object = {}): Promise<Outcome<T>> {
    const program = await this.#running(who);
    this.#note(`${who}: ${command} ${JSON.stringify(args).slice(0, 80)}`);
    // The answer was on its way to it before this command.
    if (this.#isAnswered && who === 'uploader') this.#isInformed = true;
    const outcome = await program.call<T>(command, args);
    this.#note(`${who}: ${command} → ${JSON.stringify(outcome)}`);
    this.#observe();
    if (outcome.kind === 'killed' && who === 'collector') this.promises.collectorDied();
    return outcome;
  }

  #note(event: string): void {
    this.trace.push(`${this.#nowMs - START_MS} ${event}`);
    if (this.trace.length > TRACE_LENGTH) this.trace.shift();
  }

  #observe(): void {
    this.promises.observe(readState(this.#path), this.receiver, this.#isInformed);
  }

  async #kill(who: Who): Promise<void> {
    const program = this.#processes[who];
    if (program?.isRunning !== true) return;
    await program.kill();
    this.#observe();
    if (who === 'collector') this.promises.collectorDied();
  }

  async #restart(who: Who): Promise<void> {
    const program = this.#processes[who];
    if (program?.isRunning === true) {
      const outcome = await this.#call<boolean | undefined>(who, 'stop');
      if (who === 'collector' && outcome.kind === 'done' && outcome.result === true) this.promises.confirm();
      await this.#kill(who);
    }
    await this.#running(who);
  }

  async #running(who: Who): Promise<ProgramProcess> {
    const before = this.#processes[who];
    if (before?.isRunning === true) return before;
    if (who === 'uploader') await this.#running('collector');
    const program = new ProgramProcess({
      onQuestion: (question) => {
        const answering = this.#answerSafely(question);
        if ('post' in question) this.#answering = answering;
        return answering;
      },
      onLog: (line) => this.#note(JSON.stringify(line)),
    });
    this.#processes[who] = program;
    const times = { wallMs: this.#nowMs + this.#offsetMs, trueMs: this.#nowMs, bootMs: this.#nowMs - START_MS };
    const own = who === 'collector' ? this.#collectorOptions() : { replayWindowMs: REPLAY_WINDOW_MS, ...this.#setup };
    await program.call('start', { role: who, dbPath: this.#path, ...times, ...own });
    // What an earlier process left unconfirmed is pending again.
    if (who === 'uploader') this.#isInformed = true;
    this.#observe();
    return program;
  }

  #collectorOptions(): object {
    const { room, isDiskSmall, flushIntervalMs, retentionMs } = this.#setup;
    const usedBytes = EMPTY_BYTES + room;
    const databaseBytes = isDiskSmall ? usedBytes + 3_000 : usedBytes + 60_000;
    const limits: SpaceLimits = {
      maxBytes: 2 * usedBytes,
      walBytes: 100_000,
      walMaxBytes: 150_000,
      ballastBytes: 0,
      databaseBytes,
      usedBytes,
    };
    return {
      sessionId: randomUUID(),
      builtAtMs: BUILT_AT_MS,
      limits,
      flushIntervalMs,
      retentionMs,
      walCheckpointIntervalMs: 60_000,
    };
  }

  async #lose(connection: number): Promise<void> {
    const uploader = this.#processes.uploader;
    if (uploader?.isRunning !== true) return;
    // An answer that came before the end is told before it.
    await uploader.call('advance', { ms: 0 });
    this.#note(`connection ${connection} ends`);
    await uploader.call('connectionEnded', { connection, idleMs: this.#nowMs % 10_000 });
    this.#observe();
  }

  async #dies(): Promise<void> {
    const connection = this.receiver.die();
    this.#receiverStartedAtMs = this.#nowMs;
    this.#isInformed = false;
    this.#isAnswered = false;
    this.#isPinged = false;
    await this.#lose(connection);
    this.#isPinged = true;
    this.#observe();
  }

  async #answerSafely(question: Question): Promise<unknown> {
    try {
      if ('ping' in question) return this.#answerPing();
      if ('start' in question) return this.#answerStart();
      const samples = Receiver.read(question.post);
      const answer = await this.#answerPost(samples);
      this.#note(`post of ${samples.map(({ value }) => value).join()} → ${JSON.stringify(answer)}`);
      return answer;
    } catch (error) {
      this.#fails(error);
      return { outcome: { kind: 'hold', reason: 'the model was broken' }, isClosing: false };
    }
  }

  #fails(error: unknown): void {
    this.#fault ??= error instanceof Error ? error : new Error(String(error));
  }

  #answerPing(): HealthResponse | undefined {
    const { connection } = this.receiver;
    this.#note(`ping → ${this.#isPinged ? connection : 'no answer'}`);
    return this.#isPinged ? { connection, isClosing: false, isReceiver: true } : undefined;
  }

  /** A receiver that has just died does not answer yet. Times are since the board's boot, as the uploader's clock has them. */
  #answerStart(): RestartAnswer {
    const { connection } = this.receiver;
    // What was accepted at the moment of the death, was accepted before it.
    const startedAtMs = Math.max(0, this.#receiverStartedAtMs - START_MS + 1);
    this.#isAnswered = this.#isPinged;
    this.#note(`start → ${this.#isPinged ? startedAtMs : 'no answer'}`);
    if (!this.#isPinged) return { kind: 'unanswered' };
    return { kind: 'started', earliestMs: startedAtMs, latestMs: startedAtMs, connection };
  }

  async #answerPost(samples: readonly Arrived[]): Promise<Reply> {
    await this.#dying;
    const step = this.#meanwhile.shift();
    // What the uploader has committed on its way is to be seen before the collector may delete it.
    this.#observe();
    if (step !== undefined) await this.perform(step);
    const answer = this.#answers.shift() ?? 'ok';
    const reply = replyTo(answer, {
      receiver: this.receiver,
      samples,
      nowMs: this.#nowMs,
      isPicky: this.#setup.isPicky,
    });
    if (answer === 'uploader killed') await this.#kill('uploader');
    if (answer === 'eaten')
      this.#dying = new Promise((resolve) => setImmediate(resolve))
        .then(() => this.#dies())
        .catch((error: unknown) => this.#fails(error));
    return reply;
  }
}
