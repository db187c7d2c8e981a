import { isEnvironmentError, toErrorMessage } from '@thugshells/shared/errors.ts';

import type { StatusReporting } from './status-reporting.ts';
import type { ExposedDevice } from './http/metrics.ts';
import type { WaitingStatus } from './health/waiting-status.ts';
import type { StatusServerOptions } from './http/server.ts';

export interface StatusSwitchOptions {
  readonly waiting: WaitingStatus;
  readonly device: ExposedDevice;
}

/** Lets the server listen. */
type Listen = (onListening: (endpoint: string) => void) => Promise<void>;

const NO_HISTORY = '{"from":0,"to":0,"isCutShort":false,"readFrom":0,"plots":[]}';

/**
 * What the status server shows: an open database with its uploads, or that one is waited for. The server outlives every
 * database, so that it answers all the while.
 */
export class StatusSwitch {
  readonly #options: StatusSwitchOptions;
  #open: StatusReporting | undefined;
  #endpoint: string | undefined;
  #listen: Listen | undefined;
  #listening: Promise<void> | undefined;

  constructor(options: StatusSwitchOptions) {
    this.#options = options;
  }

  /** What a StatusServer needs. */
  get sources(): Omit<StatusServerOptions, 'logger' | 'statusKey'> {
    const { waiting } = this.#options;
    return {
      monitor: {
        // An error is for the server: it shows unreadableReport() then.
        report: () => (this.#open?.monitor ?? waiting).report(),
        unreadableReport: () => this.#open?.monitor.unreadableReport() ?? waiting.report(),
        status: () => this.#read(({ monitor }) => monitor.status()) ?? waiting.status(),
      },
      history: {
        read: (query) => this.#open?.history.read(query) ?? Promise.resolve(NO_HISTORY),
        readDevice: () => this.#open?.history.readDevice() ?? Promise.resolve(undefined),
      },
      metrics: async () => {
        const { EXPOSITION_TYPE } = await import('./http/metrics.ts');
        return { contentType: EXPOSITION_TYPE, text: () => this.#readMetrics() };
      },
      isLive: () => this.#open?.isLive() ?? waiting.isLive,
    };
  }

  /** A database is open. */
  async show(reporting: StatusReporting): Promise<void> {
    reporting.own.endpoint = this.#endpoint;
    this.#open = reporting;
    await this.#beUsed();
  }

  /** The database could not be opened; the server reports that from now on. */
  attempted(reason: string): void {
    this.#options.waiting.attempted(reason);
    void this.#beUsed();
  }

  /** @param listen is called once there is something to show: an open database, or that it is waited for */
  onFirstUse(listen: Listen): void {
    this.#listen = listen;
  }

  async #beUsed(): Promise<void> {
    this.#listening ??= this.#listen?.((endpoint) => {
      this.#endpoint = endpoint;
      if (this.#open !== undefined) this.#open.own.endpoint = endpoint;
    });
    await this.#listening;
  }

  /** The open database is about to be closed. */
  hide(): void {
    const last = this.#open && readLast(this.#open);
    this.#open = undefined;
    this.#options.waiting.begin('it is being opened again', last);
  }

  /** Reads from the open database; undefined if there is none, or if it cannot be read, which `waiting` reports then. */
  #read<T>(read: (open: StatusReporting) => T): T | undefined {
    if (this.#open === undefined) return undefined;
    try {
      return read(this.#open);
    } catch (error) {
      this.#noteUnreadable(error);
      return undefined;
    }
  }

  #noteUnreadable(error: unknown): void {
    if (!isEnvironmentError(error)) throw error;
    this.#options.waiting.attempted(`cannot read it: ${toErrorMessage(error)}`);
  }

  async #readMetrics(): Promise<string> {
    try {
      if (this.#open !== undefined) return await this.#open.readMetrics();
    } catch (error) {
      this.#noteUnreadable(error);
    }
    const { exposeHealthOnly } = await import('./http/metrics.ts');
    return exposeHealthOnly(this.#options.device, this.#options.waiting.health);
  }
}

/** What is known of a database before it is closed; undefined if it cannot be read any more. */
function readLast({ monitor }: StatusReporting): ReturnType<StatusReporting['monitor']['status']> | undefined {
  try {
    return monitor.status();
  } catch {
    return undefined;
  }
}
