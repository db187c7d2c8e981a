import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A request of the uploader to the receiver, which the test answers. */
export type Question = { readonly post: Uint8Array } | { readonly ping: true } | { readonly start: true };

type Message =
  | { readonly ready: true }
  | { readonly ask: number; readonly question: Question }
  | { readonly log: Readonly<Record<string, unknown>> }
  | { readonly id: number; readonly result?: unknown; readonly error?: string };

/** The outcome of a command: its result, or the end of the process. */
export type Outcome<T> = { readonly kind: 'done'; readonly result: T } | { readonly kind: 'killed' };

interface Waiting {
  readonly resolve: (outcome: Outcome<unknown>) => void;
  readonly reject: (error: Error) => void;
}

const file = fileURLToPath(new URL('./program-child.mjs', import.meta.url));
/** A process takes a quarter of a second to start, so one is always kept ready. */
let spare: ChildProcess | undefined;

function forked(): ChildProcess {
  return fork(file, [], { serialization: 'advanced', execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

/** One that has ended would never answer, nor tell its end again. */
function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

/** Ends the process that was kept ready. */
export function endSpare(): void {
  spare?.kill('SIGKILL');
  spare = undefined;
}

/** One of the two programs in a process that can be killed at any moment. */
export class ProgramProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  readonly #onQuestion: (question: Question) => Promise<unknown>;
  readonly #onLog: (line: Readonly<Record<string, unknown>>) => void;
  #commands = 0;
  isRunning = true;

  constructor(handlers: {
    onQuestion: (question: Question) => Promise<unknown>;
    onLog: (line: Readonly<Record<string, unknown>>) => void;
  }) {
    this.#onQuestion = handlers.onQuestion;
    this.#onLog = handlers.onLog;
    this.#child = spare !== undefined && isAlive(spare) ? spare : forked();
    spare = forked();
    this.#child.on('message', (message) => this.#receive(message as Message));
    this.#ended = new Promise((resolve) => this.#child.once('exit', () => resolve(this.#end())));
  }

  /** Runs a command; throws its error, and returns the end of the process as an outcome. */
  async call<T>(command: string, args: object = {}): Promise<Outcome<T>> {
    if (!this.isRunning) return { kind: 'killed' };
    const id = (this.#commands += 1);
    const outcome = new Promise<Outcome<unknown>>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#child.send({ id, command, args }, () => undefined);
    return (await outcome) as Outcome<T>;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #receive(message: Message): void {
    if ('ready' in message) return;
    if ('log' in message) this.#onLog(message.log);
    else if ('ask' in message) void this.#answer(message.ask, message.question);
    else {
      const waiting = this.#waiting.get(message.id)!;
      this.#waiting.delete(message.id);
      if (message.error === undefined) waiting.resolve({ kind: 'done', result: message.result });
      else waiting.reject(new Error(message.error));
    }
  }

  async #answer(id: number, question: Question): Promise<void> {
    const answer = await this.#onQuestion(question);
    if (this.isRunning) this.#child.send({ answerTo: id, answer }, () => undefined);
  }

  #end(): void {
    this.isRunning = false;
    for (const { resolve } of this.#waiting.values()) resolve({ kind: 'killed' });
    this.#waiting.clear();
  }
}
