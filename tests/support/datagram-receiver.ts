/**
 * Receives datagrams at an address of the Unix domain, abstract if it begins with "@", as systemd does. As a program
 * it prints "bound" and, after it has read all, one line for each:
 *
 *   node tests/support/datagram-receiver.ts ADDRESS COUNT WAIT_MS
 */
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import koffi from 'koffi';

import { toSocketAddress } from '../../shared/src/process/unix-datagram.ts';

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const MSG_DONTWAIT = 0x40;
const MAX_BYTES = 4096;

const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)') as (domain: number, type: number, protocol: number) => number;
const bind = libc.func('int bind(int, const void *, uint32_t)') as (fd: number, to: Buffer, length: number) => number;
const recv = libc.func('long recv(int, _Out_ void *, size_t, int)') as (
  fd: number,
  bytes: Buffer,
  length: number,
  flags: number,
) => number;
const close = libc.func('int close(int)') as (fd: number) => number;

/** A bound datagram socket of the Unix domain. */
export class DatagramReceiver {
  readonly #descriptor = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);

  /** @param address a path, or an abstract address that begins with "@" */
  constructor(address: string) {
    const to = toSocketAddress(address);
    if (bind(this.#descriptor, to, to.length) !== 0) throw new Error(`cannot bind ${address}: error ${koffi.errno()}`);
  }

  /** Returns the next datagram as text; undefined if there is none yet, unless it is to wait. */
  read({ wait = false }: { readonly wait?: boolean } = {}): string | undefined {
    const bytes = Buffer.alloc(MAX_BYTES);
    const length = recv(this.#descriptor, bytes, MAX_BYTES, wait ? 0 : MSG_DONTWAIT);
    return length < 0 ? undefined : bytes.toString('utf8', 0, length);
  }

  /** Returns all datagrams that have arrived. */
  readAll(): string[] {
    const all: string[] = [];
    for (let text = this.read(); text !== undefined; text = this.read()) all.push(text);
    return all;
  }

  close(): void {
    close(this.#descriptor);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [address = '', count, waitMs] = process.argv.slice(2);
  const receiver = new DatagramReceiver(address);
  console.log('bound');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(waitMs));
  const lines = Array.from({ length: Number(count) }, () => receiver.read({ wait: true })!.replaceAll('\n', '|'));
  console.log(lines.join('\n'));
}
