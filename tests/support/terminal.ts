import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { until } from './until.ts';

/** A program on a terminal of its own: what somebody would type is written to it, and what they would see is read. */
export class Terminal {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  #text = '';

  /** Runs a command by script(1), which makes the terminal; without a shell between them, which Ctrl-C would end. */
  constructor(command: string, environment: Readonly<Record<string, string>> = {}) {
    const { PATH = '' } = process.env;
    this.#child = spawn('script', ['--quiet', '--return', '--command', `exec ${command}`, '/dev/null'], {
      env: { PATH, TERM: 'xterm', HOME: '/nonexistent', ...environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout!.on('data', (data: Buffer) => (this.#text += data.toString()));
    this.ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  /** Everything that was shown so far. */
  get text(): string {
    return this.#text;
  }

  type(text: string): void {
    this.#child.stdin!.write(text);
  }

  /** Sends a signal to the command alone. */
  signal(name: NodeJS.Signals): void {
    const { pid } = this.#child;
    process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')), name);
  }

  /** Waits until the text matches; returns the match. */
  shows(pattern: RegExp): Promise<RegExpExecArray> {
    return until(`the terminal shows ${pattern}`, () => pattern.exec(this.#text) ?? undefined);
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}
