import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** One line of a program's log. */
export interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly session_id: string;
  readonly [field: string]: unknown;
}

/** How a program ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What runs a program: its command line before the program's own file, and the folder that the programs are in. */
export interface Runner {
  readonly command: readonly [string, ...string[]];
  readonly folder: string;
}

/** What runs the programs that are built here, on the Node.js that runs the test. */
export const builtHere: Runner = {
  command: [process.execPath],
  folder: fileURLToPath(new URL('../..', import.meta.url)),
};

/** A built program that a test runs as a process of its own. */
export class AgentProcess {
  readonly #child: ChildProcess;
  readonly lines: string[] = [];
  readonly problems: string[] = [];
  readonly ended: Promise<Ending>;
  #ending: Ending | undefined;
  /** Its first line or its end, whichever comes first. */
  readonly #begun: Promise<unknown>;

  constructor(
    program: 'collector' | 'uploader',
    environment: Readonly<Record<string, string>>,
    args: readonly string[] = [],
    { command: [command, ...before], folder }: Runner = builtHere,
  ) {
    const { PATH = '' } = process.env;
    this.#child = spawn(command, [...before, join(folder, program, 'dist/main.js'), ...args], {
      env: { PATH, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = createInterface({ input: this.#child.stdout! }).on('line', (line) => this.lines.push(line));
    createInterface({ input: this.#child.stderr! }).on('line', (line) => this.problems.push(line));
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.#ending = { code, signal };
        resolve(this.#ending);
      });
    });
    this.#begun = Promise.race([once(output, 'line'), this.ended]);
  }

  /** Its process id; 0 if it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Whether the process is still there. */
  get isRunning(): boolean {
    return this.#ending === undefined;
  }

  /** The log so far; a line that is no JSON object fails the test that asks. */
  log(): LogLine[] {
    return this.lines.map((line) => JSON.parse(line) as LogLine);
  }

  /** Lines with this message. */
  told(msg: string): LogLine[] {
    return this.log().filter((line) => line.msg === msg);
  }

  /** The health endpoint's address, from the log. */
  endpoint(): string | undefined {
    return this.told('health endpoint listening')[0]?.['endpoint'] as string | undefined;
  }

  async kill(signal: NodeJS.Signals): Promise<Ending> {
    if (this.isRunning) this.#child.kill(signal);
    return this.ended;
  }

  /** Sends a signal that does not end it. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it as systemd would, which may be too early for Node: a program that has not begun ends by the signal itself. */
  async stop(): Promise<Ending> {
    await this.#begun;
    return this.kill('SIGTERM');
  }
}

/** A command that runs to its end. */
export async function runToEnd(
  program: 'collector' | 'uploader',
  environment: Readonly<Record<string, string>>,
  args: readonly string[],
  runner?: Runner,
): Promise<Ending & { readonly stdout: string; readonly stderr: string }> {
  const child = new AgentProcess(program, environment, args, runner);
  const ending = await child.ended;
  return { ...ending, stdout: child.lines.join('\n'), stderr: child.problems.join('\n') };
}
