import { toErrorMessage } from '../errors.ts';
import type { Environment } from '../config/load-config.ts';
import type { Logger } from '../logging/logger.ts';
import { sendDatagram } from './unix-datagram.ts';

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

/**
 * What `environment` says of the service manager: without NOTIFY_SOCKET there is none, and nothing is done.
 * Can be called while the event loop stands still, as it does during a migration. The first failure is logged, and
 * the first success after it.
 *
 * @param environment the process's; systemd sets NOTIFY_SOCKET where the unit has Type=notify or NotifyAccess=
 */
export function createNotifier(environment: Environment, logger: Logger): Notify {
  const address = environment['NOTIFY_SOCKET'] ?? '';
  if (address === '') return () => undefined;
  let isFailing = false;
  return (state) => {
    try {
      sendDatagram(address, toAssignments(state).join('\n'));
      if (isFailing) logger.info('systemd can be told again', { path: address });
      isFailing = false;
    } catch (error) {
      if (!isFailing) logger.warn('systemd cannot be told', { path: address, error: toErrorMessage(error) });
      isFailing = true;
    }
  };
}

function toAssignments({
  ready,
  stopping,
  watchdog,
  watchdogTimeoutMs,
  status,
  extendTimeoutMs,
}: ServiceState): string[] {
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
