import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

import { loadCLibrary } from './c-library.ts';

/** Linux's <bits/socket.h>: Node.js has no such constants. */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** systemd reads up to ten messages of other services before ours: sending fails after this many attempts, 10 ms apart. */
const ATTEMPTS = 100;
const BETWEEN_ATTEMPTS_MS = 10;

/** The functions of the C library that sending needs. */
interface SocketCalls {
  socket(domain: number, type: number, protocol: number): number;
  sendto(
    descriptor: number,
    bytes: Buffer,
    length: number,
    flags: number,
    address: Buffer,
    addressLength: number,
  ): number;
  close(descriptor: number): number;
  errno(): number;
}

let loaded: SocketCalls | undefined;

/** Node.js itself has no datagram sockets of the Unix domain. */
function loadSocketCalls(): SocketCalls {
  if (loaded !== undefined) return loaded;
  const libc = loadCLibrary();
  loaded = {
    socket: libc.func<SocketCalls['socket']>('int socket(int, int, int)'),
    sendto: libc.func<SocketCalls['sendto']>('long sendto(int, const void *, size_t, int, const void *, uint32_t)'),
    close: libc.func<SocketCalls['close']>('int close(int)'),
    errno: libc.errno,
  };
  return loaded;
}

/**
 * Builds a struct sockaddr_un of Linux (unix(7)).
 *
 * @param address a path, or an abstract address that begins with "@"
 */
export function toSocketAddress(address: string): Buffer {
  const isAbstract = address.startsWith('@');
  const family = Buffer.from(Uint16Array.of(AF_UNIX).buffer);
  return Buffer.concat([family, Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`)]);
}

/**
 * Sends one datagram, from a socket of its own: one that stays open would have to be closed at the end. Blocks for at
 * most a second while the receiver's queue is full.
 *
 * @param address a path, or an abstract address that begins with "@"
 * @throws Error whose message is the name of a system error, such as ENOENT, ECONNREFUSED or EAGAIN
 */
export function sendDatagram(address: string, message: string): void {
  const calls = loadSocketCalls();
  const checked = (result: number): number => {
    if (result < 0) throw new Error(getSystemErrorName(-calls.errno()));
    return result;
  };
  const [bytes, to] = [Buffer.from(message), toSocketAddress(address)];
  const descriptor = checked(calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  try {
    for (let attempt = 1; ; attempt++) {
      const sent = calls.sendto(descriptor, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.length);
      if (sent >= 0 || calls.errno() !== constants.errno.EAGAIN || attempt === ATTEMPTS) return void checked(sent);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BETWEEN_ATTEMPTS_MS);
    }
  } finally {
    calls.close(descriptor);
  }
}
