import type { Clock } from '@thugshells/shared/clock.ts';
import { toErrorCode } from '@thugshells/shared/errors.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import { holderOf } from './port-owner.ts';
import type { Sidecar } from './server.ts';

export interface ListenOptions {
  readonly sidecar: Pick<Sidecar, 'listen'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly healthHost: string;
  readonly healthPort: number;
}

/** How often a port that was taken is tried again. */
const TRY_AGAIN_MS = 30_000;

/**
 * Listens, and says where; a port that is taken costs the page, not the uploads, and is tried again until it is free.
 *
 * @param onListening gets the address
 * @returns after the first try; the others go on until `stop`
 */
export async function listenOrTell(
  options: ListenOptions,
  stop: AbortSignal,
  onListening: (endpoint: string) => void = () => undefined,
): Promise<void> {
  if (await tryToListen(options, onListening, true)) return;
  void (async () => {
    const { clock } = options;
    do await clock.sleep(TRY_AGAIN_MS, stop);
    while (!stop.aborted && !(await tryToListen(options, onListening, false)));
  })();
}

async function tryToListen(
  options: ListenOptions,
  onListening: (endpoint: string) => void,
  isFirst: boolean,
): Promise<boolean> {
  const { sidecar, logger, healthHost, healthPort } = options;
  const host = healthHost.includes(':') ? `[${healthHost}]` : healthHost;
  try {
    const endpoint = `http://${host}:${await sidecar.listen(healthHost, healthPort)}/`;
    logger.info('health endpoint is listening', { endpoint });
    onListening(endpoint);
    return true;
  } catch (error) {
    const holder = toErrorCode(error) === 'EADDRINUSE' ? holderOf(healthPort) : undefined;
    if (isFirst) {
      logger.error('health endpoint cannot listen; uploads go on without it', {
        endpoint: `http://${host}:${healthPort}/`,
        ...toErrorFields(error),
        stack: undefined,
        holder,
        hint: `${holder === undefined ? '' : `${holder} has the port; `}set THUGSHELLS_HEALTH_PORT to a port that is free`,
      });
    }
    return false;
  }
}
