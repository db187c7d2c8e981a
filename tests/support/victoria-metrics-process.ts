import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/** A VictoriaMetrics could not have its port for itself, since another program had taken it meanwhile. */
export class PortTaken extends Error {}

/** For a request whose connection is not kept: one left from before a kill would fail the first request after. */
export const ownConnection = { headers: { connection: 'close' } };

/** What one process is started with. */
export interface VictoriaMetricsStart {
  readonly binary: string;
  /** Where it keeps its data. */
  readonly dir: string;
  readonly port: number;
  readonly flags: readonly string[];
}

/** How long a start may take; a fresh one takes a tenth of a second, a busy machine ten times that. */
const START_DEADLINE_MS = 20_000;

/** How long an orderly end may take, which writes to disk what was only in memory. */
const STOP_DEADLINE_MS = 20_000;

/** Between two looks at something that is awaited. */
const POLL_MS = 20;

/**
 * How often the process is asked who it is. VictoriaMetrics sets SO_REUSEPORT: two of them listen on one port without
 * an error, and the kernel deals connections out between them. Eight that all end here leave 1 in 256 for a stranger.
 */
const IDENTITY_CHECKS = 8;

/** Of the log, what is kept for an error message. */
const MAX_LOG_CHARACTERS = 20_000;

/** One process of VictoriaMetrics, from its start to its end. */
export class VictoriaMetricsProcess {
  readonly #child: ChildProcess;
  readonly #watchdog: ChildProcess | undefined;
  readonly #ended: Promise<unknown>;
  #log = '';

  private constructor({ binary, dir, port, flags }: VictoriaMetricsStart) {
    const args = [`-httpListenAddr=127.0.0.1:${port}`, `-storageDataPath=${dir}`, ...flags];
    this.#child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (part: Buffer) => (this.#log = `${this.#log}${part.toString()}`.slice(-MAX_LOG_CHARACTERS)));
    }
    if (this.#child.pid !== undefined) this.#watchdog = startWatchdog(this.#child.pid);
    this.#ended = this.#end();
  }

  /** Starts one and waits until its health address answers. Rejects with PortTaken or with what it logged. */
  static async start(options: VictoriaMetricsStart): Promise<VictoriaMetricsProcess> {
    const started = new VictoriaMetricsProcess(options);
    const url = `http://127.0.0.1:${options.port}`;
    try {
      await started.#untilHealthy(url);
      await requireSameServer(url, options.dir);
      return started;
    } catch (error) {
      await started.kill('SIGKILL');
      throw error;
    }
  }

  /** Its process id; 0 if it could not be started at all. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Whether it has not ended yet. */
  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
  }

  /** Sends a signal and waits for the end, which SIGKILL brings about if it does not come by itself. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.running) this.#child.kill(signal);
    const lastResort = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await this.#ended;
    clearTimeout(lastResort);
  }

  /** Resolves once the process, its streams and its watchdog are gone. */
  async #end(): Promise<void> {
    await once(this.#child, 'close').catch((error: unknown) => (this.#log += String(error)));
    if (this.#watchdog === undefined) return;
    // At once: its number may soon be another program's.
    this.#watchdog.kill('SIGKILL');
    await once(this.#watchdog, 'close');
  }

  async #untilHealthy(url: string): Promise<void> {
    const deadline = performance.now() + START_DEADLINE_MS;
    while (performance.now() < deadline) {
      const healthy = await fetch(`${url}/health`, ownConnection).then(
        ({ ok }) => ok,
        () => false,
      );
      // Looked at after the answer: another program's answer on a port that it took does not count.
      if (!this.running) break;
      if (healthy) return;
      await delay(POLL_MS);
    }
    if (!this.running) await this.#ended;
    if (this.#log.includes('address already in use')) throw new PortTaken(this.#log);
    throw new Error(`VictoriaMetrics ${this.running ? 'did not become healthy' : 'ended'}; it logged:\n${this.#log}`);
  }
}

/** Throws PortTaken if any of several connections ends at a server that keeps its data elsewhere. */
async function requireSameServer(url: string, dir: string): Promise<void> {
  for (let check = 1; check <= IDENTITY_CHECKS; check += 1) {
    const response = await fetch(`${url}/flags`, ownConnection);
    const flags = await response.text();
    if (!flags.includes(`-storageDataPath=${JSON.stringify(dir)}`)) throw new PortTaken(`${url} is another server's`);
  }
}

/**
 * A shell that kills the process as soon as this one is gone, however it went: it reads from a pipe that the kernel
 * closes with us. An exit handler would not do: a test runner keeps those from being called, and SIGKILL always does.
 */
function startWatchdog(pid: number): ChildProcess {
  const script = 'read -r _; kill -9 "$1"';
  return spawn('/bin/sh', ['-c', script, 'sh', String(pid)], { stdio: ['pipe', 'ignore', 'ignore'] });
}
