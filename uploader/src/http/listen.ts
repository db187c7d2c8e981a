import type { Clock } from '@thugshells/shared/clock.ts';
import { toErrorCode } from '@thugshells/shared/errors.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';
import { ticks } from '@thugshells/shared/ticker.ts';

import { findPortOwner } from './port-owner.ts';
import type { StatusServer } from './server.ts';

export interface ListenOptions {
  readonly statusServer: Pick<StatusServer, 'listen'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly healthHost: string;
  readonly healthPort: number;
}

const RETRY_INTERVAL_MS = 30_000;

/**
 * Listens, and logs the endpoint. A port in use costs the status page, not the uploads: it is logged once, and retried
 * until `stop` is aborted.
 *
 * @param onListening gets the URL of the server
 * @returns after the first attempt; the retries run on
 */
export async function listenWithRetry(
  options: ListenOptions,
  stop: AbortSignal,
  onListening: (endpoint: string) => void = () => undefined,
): Promise<void> {
  try {
    await listen(options, onListening);
  } catch (error) {
    logFailure(options, error);
    void retry(options, stop, onListening);
  }
}

async function retry(
  options: ListenOptions,
  stop: AbortSignal,
  onListening: (endpoint: string) => void,
): Promise<void> {
  const everyInterval = { intervalMs: RETRY_INTERVAL_MS, firstInMs: RETRY_INTERVAL_MS, stop };
  for await (const _ of ticks(options.clock, everyInterval)) {
    try {
      return await listen(options, onListening);
    } catch {
      // The first failure was logged.
    }
  }
}

async function listen(options: ListenOptions, onListening: (endpoint: string) => void): Promise<void> {
  const { statusServer, logger, healthHost, healthPort } = options;
  const endpoint = toUrl(healthHost, await statusServer.listen(healthHost, healthPort));
  logger.info('health endpoint listening', { endpoint });
  onListening(endpoint);
}

function logFailure({ logger, healthHost, healthPort }: ListenOptions, error: unknown): void {
  const owner = toErrorCode(error) === 'EADDRINUSE' ? findPortOwner(healthPort) : undefined;
  logger.error('health endpoint cannot listen, will retry', {
    endpoint: toUrl(healthHost, healthPort),
    ...toErrorFields(error),
    stack: undefined,
    holder: owner,
    hint: `${owner === undefined ? '' : `end ${owner}, or `}set THUGSHELLS_HEALTH_PORT to a free port`,
  });
}

function toUrl(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}
