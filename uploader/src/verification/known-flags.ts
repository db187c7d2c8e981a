import type { Clock } from '@thugshells/shared/clock.ts';

import type { QueryClient } from '../transport/query-client.ts';
import type { ReceiverFlags } from '../transport/receiver-flags.ts';

/** Flags change with a restart of the receiver; their page takes some 10 KB. */
const MAX_AGE_MS = 86_400_000;

/** Remembers the flags of the receiver for a day. */
export class KnownFlags {
  readonly #options: { readonly clock: Clock; readonly client: Pick<QueryClient, 'findFlags'> };
  #known: { readonly flags: ReceiverFlags | undefined; readonly readAt: number } | undefined;

  constructor(options: { readonly clock: Clock; readonly client: Pick<QueryClient, 'findFlags'> }) {
    this.#options = options;
  }

  /** Returns undefined if the receiver has none to show. */
  async read(signal: AbortSignal): Promise<ReceiverFlags | undefined> {
    const { clock, client } = this.#options;
    if (this.#known === undefined || clock.monotonic() - this.#known.readAt > MAX_AGE_MS) {
      const { flags, isAnswered } = await client.findFlags(signal);
      this.#known = isAnswered ? { flags, readAt: clock.monotonic() } : undefined;
    }
    return this.#known?.flags;
  }
}
