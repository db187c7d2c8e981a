/** The end of a connection to the receiver. */
export interface ConnectionEnd {
  readonly kind: 'connection ended';
  readonly connection: number;
  /** Announced by the receiver or a proxy, or brought about by this side. */
  readonly isAnnounced: boolean;
  /** For how long it had been idle; undefined if a response was due. */
  readonly idleMs: number | undefined;
}

/** What may mean that the receiver was restarted. */
export type RestartSign =
  | ConnectionEnd
  /** A proxy reports that the receiver does not respond; the proxy's own connection to this device may stay open. */
  | { readonly kind: 'proxy error' }
  /** Nothing listens at the receiver's address. */
  | { readonly kind: 'connection refused' };

/** The answer to the question since when the receiver runs. */
export type RestartAnswer =
  /** It was started between these times, in milliseconds since this device's boot. */
  | {
      readonly kind: 'started';
      readonly earliestMs: number;
      readonly latestMs: number;
      /** The connection that carried the answer, if it stays open. */
      readonly connection: number | undefined;
    }
  /** An answer came without that time. */
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'unanswered' };
