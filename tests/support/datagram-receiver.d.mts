/** A bound datagram socket of the Unix domain; an address that begins with "@" is abstract. */
export declare class DatagramReceiver {
  constructor(address: string);
  /** Returns the next datagram as text; undefined if there is none yet, unless it is to wait. */
  read(options?: { readonly wait?: boolean }): string | undefined;
  readAll(): string[];
  close(): void;
}
