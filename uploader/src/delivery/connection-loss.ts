import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import type { Acknowledgements } from '../queue/acknowledgements.ts';
import type { ReceiverCheck } from '../transport/transport.ts';

export interface ConnectionLossOptions {
  readonly logger: Logger;
  readonly acknowledgements: Acknowledgements;
  readonly receiverCheck: ReceiverCheck;
  readonly stop: AbortSignal;
}

/** Requeues what a connection carried last if it ends before the receiver's next response has confirmed that. */
export class ConnectionLoss {
  readonly #options: ConnectionLossOptions;

  constructor(options: ConnectionLossOptions) {
    this.#options = options;
  }

  /** Handles the end of a connection. After a stop nothing is requeued: the next process requeues what is unconfirmed. */
  async onConnectionClosed(connection: number): Promise<void> {
    const { acknowledgements, receiverCheck, logger, stop } = this.#options;
    if (stop.aborted) return;
    try {
      const { requeued, isInDoubt } = acknowledgements.loseConnection(connection);
      const successor = isInDoubt ? await receiverCheck.checkReceiver(stop) : undefined;
      if (stop.aborted) return;
      const count = requeued + (isInDoubt ? acknowledgements.resolveDoubt(connection, successor) : 0);
      if (count > 0) logger.info('requeued samples of lost connection', { count });
    } catch (error) {
      logger.warn('cannot requeue samples of lost connection', toErrorFields(error));
    }
  }
}
