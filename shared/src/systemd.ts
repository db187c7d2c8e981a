import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

import { createSocket, type SendError } from 'unix-dgram';

import { messageOf } from './errors.js';
import type { Environment } from './config.js';
import type { Logger } from './logger.js';

/** What a service tells systemd of itself; the names are those of sd_notify(3). */
export interface ServiceState {
  /** It has started. */
  readonly ready?: true;
  /** It is about to end. */
  readonly stopping?: true;
  /** It makes progress. */
  readonly watchdog?: true;
  /** From now on it may let this much pass without progress. */
  readonly watchdogTimeoutMs?: number;
  /** One line for `systemctl status`. */
  readonly status?: string;
  /** Starting, or whatever it is at, may take this much longer from now on; the next word comes before that. */
  readonly extendTimeoutMs?: number;
}

/** Tells systemd something; never throws. */
export type Notify = (state: ServiceState) => void;

/** systemd reads ten messages of others before ours: it is asked again this often, 10 ms apart, before one is given up. */
const TRIES = 100;
const BETWEEN_TRIES_MS = 10;

/**
 * What `environment` says of the service manager: without NOTIFY_SOCKET there is none, and nothing is done.
 * Can be called while the event loop stands still, as it does during a migration. The first failure is logged, and
 * the first success after it.
 *
 * @param environment the process's; systemd sets NOTIFY_SOCKET where the unit has Type=notify or NotifyAccess=
 */
export function notifier(environment: Environment, logger: Logger): Notify {
  const address = environment['NOTIFY_SOCKET'] ?? '';
  if (address === '') return () => undefined;
  let isFailing = false;
  return (state) => {
    try {
      if (address.startsWith('@')) sendByCommand(address, environment, linesOf(state));
      else sendDatagram(address, linesOf(state).join('\n'));
      if (isFailing) logger.info('systemd can be told again', { path: address });
      isFailing = false;
    } catch (error) {
      if (!isFailing) logger.warn('systemd cannot be told', { path: address, error: messageOf(error) });
      isFailing = true;
    }
  };
}

function linesOf({ ready, stopping, watchdog, watchdogTimeoutMs, status, extendTimeoutMs }: ServiceState): string[] {
  const lines: string[] = [];
  if (ready === true) lines.push('READY=1');
  if (stopping === true) lines.push('STOPPING=1');
  if (watchdog === true) lines.push('WATCHDOG=1');
  if (watchdogTimeoutMs !== undefined) lines.push(`WATCHDOG_USEC=${Math.ceil(watchdogTimeoutMs * 1000)}`);
  if (extendTimeoutMs !== undefined) lines.push(`EXTEND_TIMEOUT_USEC=${Math.ceil(extendTimeoutMs * 1000)}`);
  // A line more would be read as an assignment of its own.
  if (status !== undefined) lines.push(`STATUS=${status.replace(/\s*\n\s*/g, ' ')}`);
  return lines;
}

/** A socket for each message: one that stays open would keep the process from ending. */
function sendDatagram(path: string, message: string): void {
  const socket = createSocket('unix_dgram');
  try {
    const bytes = Buffer.from(message);
    for (let tries = 1; ; tries++) {
      let failure: SendError | undefined;
      socket.send(bytes, 0, bytes.length, path, (error) => (failure = error));
      if (failure === undefined) return;
      // The package gives the negative number as code.
      if (failure.code !== -constants.errno.EAGAIN || tries === TRIES) throw new Error(getSystemErrorName(failure.code), { cause: failure });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BETWEEN_TRIES_MS);
    }
  } finally {
    socket.close();
  }
}

/**
 * unix-dgram ends an address at its first NUL, with which an abstract one ("@…") begins. Where systemd gives such an
 * address, its own command is at hand; it takes 10 ms.
 */
function sendByCommand(address: string, environment: Environment, lines: readonly string[]): void {
  const env = { PATH: environment['PATH'], NOTIFY_SOCKET: address };
  const { error, status, stderr } = spawnSync('systemd-notify', lines, { env, encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`systemd-notify ended with ${status}: ${stderr.trim()}`);
}
