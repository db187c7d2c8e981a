import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AgentProcess, type Runner } from './agent-process.ts';
import { until } from './until.ts';

/** What /health answers, as far as tests look. */
export interface Health {
  readonly status: string;
  readonly components: Readonly<
    Record<
      string,
      {
        readonly status: string;
        readonly message: string;
        readonly since: string;
        readonly details: Readonly<Record<string, unknown>>;
      }
    >
  >;
}

/** Collector and uploader as processes of their own on one database, at a pace for tests. */
export class AgentPair {
  readonly folder = mkdtempSync(join(tmpdir(), 'agent-pair-'));
  readonly database = join(this.folder, 'metrics.db');
  readonly #environment: Readonly<Record<string, string>>;
  readonly #started: AgentProcess[] = [];

  readonly #runner: Runner | undefined;

  /**
   * @param variables without prefix
   * @param runner what runs the programs; by default this Node.js those that are built here
   */
  constructor(variables: Readonly<Record<string, string>>, runner?: Runner) {
    this.#runner = runner;
    const all = {
      ...{
        DB_PATH: this.database,
        DEVICE_ID: 'board-1',
        INTERVAL: '500ms',
        UPLOAD_INTERVAL: '500ms',
        HEALTH_PORT: '0',
      },
      ...{ RETRY_INITIAL: '50ms', RETRY_ATTEMPTS: '1', PROBE_INTERVAL: '200ms', REMOTE_TIMEOUT: '2s' },
      ...variables,
    };
    this.#environment = Object.fromEntries(Object.entries(all).map(([name, value]) => [`THUGSHELLS_${name}`, value]));
  }

  /** The environment that both programs get. */
  get environment(): Readonly<Record<string, string>> {
    return this.#environment;
  }

  /** @param more variables of this program alone, with their whole names */
  start(program: 'collector' | 'uploader', more: Readonly<Record<string, string>> = {}): AgentProcess {
    const agent = new AgentProcess(program, { ...this.#environment, ...more }, [], this.#runner);
    this.#started.push(agent);
    return agent;
  }

  /** Everything that all processes have logged so far. */
  lines(): string[] {
    return this.#started.flatMap(({ lines }) => lines);
  }

  /** Kills what still runs, and removes the database. */
  async remove(): Promise<void> {
    for (const agent of this.#started) await agent.kill('SIGKILL');
    rmSync(this.folder, { recursive: true });
  }
}

/** Returns the URL of the status server once it listens. */
export async function endpointOf(uploader: AgentProcess): Promise<string> {
  return until('the status server listens', () => uploader.endpoint());
}

/** The health report and the statuses of the three addresses. */
export async function healthAt(
  endpoint: string,
): Promise<{ readonly report: Health; readonly statuses: readonly number[] }> {
  const ask = (path: string): Promise<Response> => fetch(new URL(path, endpoint), { headers: { connection: 'close' } });
  const [health, ready, live] = await Promise.all([ask('/health'), ask('/health/ready'), ask('/health/live')]);
  await Promise.all([ready.text(), live.text()]);
  return { report: (await health.json()) as Health, statuses: [health.status, ready.status, live.status] };
}
