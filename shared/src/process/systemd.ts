import { toErrorMessage } from '../errors.ts';
import type { Environment } from '../config/load-config.ts';
import type { Logger } from '../logging/logger.ts';
import { sendDatagram } from './unix-datagram.ts';

/** What a service reports to systemd; the names are those of sd_notify(3). */
export interface ServiceState {
  /** The service has started. */
  readonly ready?: true;
  /** The service is about to end. */
  readonly stopping?: true;
  /** The service makes progress. */
  readonly watchdog?: true;
  /** The service may pass this time without progress from now on. */
  readonly watchdogTimeoutMs?: number;
  /** One line for `systemctl status`. */
  readonly status?: string;
  /** Starting or stopping may take this much longer from now on; the next report comes before that. */
  readonly extendTimeoutMs?: number;
}

/** Reports to systemd; never throws. */
export type Notify = (state: ServiceState) => void;

/**
 * Creates the function that reports to the service manager that `environment` names; without NOTIFY_SOCKET there is none,
 * and the function does nothing. It works while the event loop is blocked, as it is during a migration. The first failure
 * is logged, and the first success after it.
 *
 * @param environment the process's; systemd sets NOTIFY_SOCKET if the unit has Type=notify or NotifyAccess=
 */
export function createNotifier(environment: Environment, logger: Logger): Notify {
  const address = environment['NOTIFY_SOCKET'] ?? '';
  if (address === '') return () => undefined;
  let isFailing = false;
  return (state) => {
    try {
      sendDatagram(address, toAssignments(state).join('\n'));
      if (isFailing) logger.info('systemd notification recovered', { path: address });
      isFailing = false;
    } catch (error) {
      if (!isFailing) logger.warn('cannot notify systemd', { path: address, error: toErrorMessage(error) });
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
  // A line break would begin another assignment.
  if (status !== undefined) lines.push(`STATUS=${status.replace(/\s*\n\s*/g, ' ')}`);
  return lines;
}
