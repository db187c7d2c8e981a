import type { RecurringWork } from '@thugshells/shared/recurring-work.ts';
import { NOTHING_VERIFIED, type VerificationState } from '@thugshells/shared/state/verification-state.ts';

import type { AgentContext, Queue, Uploader } from './agent.ts';
import { calculateUploadDelayMs } from './delivery/upload-phase.ts';
import type { QueryClient } from './transport/query-client.ts';
import type { BackgroundVerifier } from './verification/background-verifier.ts';

export interface DeliveryVerificationOptions extends AgentContext {
  readonly queue: Queue;
  readonly uploader: Pick<Uploader, 'receiver' | 'receiverClock'>;
  /** Undefined if it is not known where the receiver is read. */
  readonly queryClient: QueryClient | undefined;
  readonly recurring: RecurringWork;
}

const UNKNOWN_ADDRESS =
  'cannot derive the address of the query API from THUGSHELLS_REMOTE_URL; set THUGSHELLS_QUERY_URL';

/** Verifies deliveries in the background every VERIFY_INTERVAL. What it needs is loaded only where that is set. */
export class DeliveryVerification {
  readonly #options: DeliveryVerificationOptions;
  #verifier: BackgroundVerifier | undefined;

  constructor(options: DeliveryVerificationOptions) {
    this.#options = options;
  }

  /** Undefined if it is not configured. */
  get state(): VerificationState | undefined {
    if (this.#options.config.verifyIntervalMs === 0) return undefined;
    const failure = this.#options.queryClient === undefined ? UNKNOWN_ADDRESS : undefined;
    return this.#verifier?.state ?? { ...NOTHING_VERIFIED, failure };
  }

  /** Verifies until `stop` is aborted. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, config, recurring } = this.#options;
    const { verifyIntervalMs: intervalMs, deviceId } = config;
    if (intervalMs === 0) return;
    const verifier = await this.#create();
    if (verifier === undefined) return;
    this.#verifier = verifier;
    const task = { message: 'cannot verify deliveries', work: () => verifier.run(stop) };
    const firstInMs = calculateUploadDelayMs(deviceId, intervalMs, clock.now());
    await recurring.run(task, { intervalMs, firstInMs, stop });
  }

  /** Returns undefined if it is not known where the receiver is read. */
  async #create(): Promise<BackgroundVerifier | undefined> {
    const { clock, logger, config, queue, uploader, queryClient: client } = this.#options;
    if (client === undefined) {
      logger.warn('cannot verify deliveries', { error: UNKNOWN_ADDRESS });
      return undefined;
    }
    const { BackgroundVerifier } = await import('./verification/background-verifier.ts');
    const { database, settled } = queue;
    const now = (): number => uploader.receiverClock.now();
    const own = { requeues: config.verifyRequeue, now, isIdle: this.#createIdleCheck() };
    return new BackgroundVerifier({ clock, logger, database, settled, client, ...own });
  }

  /** Uploads come first: a backlog that shrinks is waited for, one that is held is not. */
  #createIdleCheck(): () => boolean {
    const { config, queue, uploader } = this.#options;
    let before = Infinity;
    return () => {
      const { pending } = queue.backlog.readBooks();
      const isDraining = pending > config.batchMetrics && pending < before;
      before = pending;
      return uploader.receiver.condition === 'taking' && !isDraining;
    };
  }
}
