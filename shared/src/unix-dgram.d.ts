/** What is used of the package: a socket that sends and receives whole datagrams, at once and without blocking. */
declare module 'unix-dgram' {
  export interface SendError extends Error {
    /** A number of errno(3), negative. */
    readonly code: number;
  }
  export interface Socket {
    bind(path: string): void;
    /** Calls back before it returns. */
    send(bytes: Buffer, offset: number, length: number, path: string, callback: (error?: SendError) => void): void;
    close(): void;
  }
  export function createSocket(type: 'unix_dgram', onMessage?: (bytes: Buffer) => void): Socket;
}
