import { setTimeout as delay } from 'node:timers/promises';

/** Addresses of the sidecar, each with the statuses that it may answer with. */
const EXPECTED: Readonly<Record<string, readonly number[]>> = {
  '/health/live': [200],
  '/health': [200, 503],
  '/metrics': [200],
  '/': [200],
  '/status.json': [200],
};
const PAUSE_MS = 50;
/** Longer than any answer of a busy machine. */
const TIMEOUT_MS = 4_000;

/** Asks every address of a sidecar again and again, and keeps what it should not have answered. */
export class SidecarWatch {
  readonly problems: string[] = [];
  /** Messages of the components that were not ok. */
  readonly messages = new Set<string>();
  asked = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(endpoint: string) {
    this.#running = this.#run(endpoint);
  }

  /** Stops asking; returns what should not have been answered. */
  async stop(): Promise<readonly string[]> {
    this.#isOver = true;
    await this.#running;
    return this.problems;
  }

  async #run(endpoint: string): Promise<void> {
    while (!this.#isOver) {
      for (const [path, statuses] of Object.entries(EXPECTED)) await this.#ask(endpoint, path, statuses);
      await delay(PAUSE_MS);
    }
  }

  async #ask(endpoint: string, path: string, statuses: readonly number[]): Promise<void> {
    this.asked++;
    try {
      const response = await fetch(new URL(path, endpoint), {
        headers: { connection: 'close' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await response.text();
      if (!statuses.includes(response.status)) this.problems.push(`${path} answered ${response.status}: ${text}`);
      else if (path === '/health') this.#note(text);
    } catch (error) {
      this.problems.push(`${path}: ${String(error)}`);
    }
  }

  #note(text: string): void {
    const { components } = JSON.parse(text) as { components: Record<string, { status: string; message: string }> };
    for (const [name, { status, message }] of Object.entries(components))
      if (status !== 'ok') this.messages.add(`${name}: ${message}`);
  }
}
