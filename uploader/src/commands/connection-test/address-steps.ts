import type { LookupAddress } from 'node:dns';
import { connect, isIP } from 'node:net';

import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError } from '@thugshells/shared/errors.ts';

import { shortDuration } from '../../health/formatting.ts';
import { CONNECT_TIMEOUT_MS, toHostAndPort } from '../../transport/connection-check.ts';
import { toFailureMeaning, toFailureReason } from '../../transport/failure-reasons.ts';
import { lookupHost } from '../../transport/host-lookup.ts';
import { findRemedy } from '../../transport/recognized-responses.ts';
import { failed, passed, type StepResult } from './step.ts';

/** What this device connects to: the receiver, or the proxy before it. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly isProxy: boolean;
}

/** Returns what a URL leads to, through its proxy if there is one. */
export function findTarget(url: string, proxy: string): Target {
  return { ...toHostAndPort(proxy === '' ? url : proxy), isProxy: proxy !== '' };
}

/** Resolves a host to all its addresses, of IPv4 and IPv6. */
export async function testName({ host, isProxy }: Target, clock: Clock) {
  if (isIP(host) !== 0) return { result: passed('name', `${host} is an address`), addresses: [host] };
  const startedAt = clock.monotonic();
  try {
    const found = await resolve(host);
    const addresses = found.map(({ address }) => address);
    const took = shortDuration(clock.monotonic() - startedAt);
    const what = isProxy ? `${host}, the proxy, is` : `${host} is`;
    return { result: passed('name', `${what} ${addresses.join(', ')} (${took})`), addresses };
  } catch (error) {
    return { result: toFailed('name', error, isProxy), addresses: [] };
  }
}

/** Opens a connection to each address and closes it. One that can be reached is enough. */
export async function testConnection(target: Target, addresses: readonly string[], clock: Clock): Promise<StepResult> {
  const tried = await Promise.all(addresses.map((address) => tryAddress(address, target.port, clock)));
  const errors = tried.flatMap(({ error }) => (error === undefined ? [] : [error]));
  if (errors.length === tried.length)
    return toFailed('connection', errors.length === 1 ? errors[0] : new AggregateError(errors), target.isProxy);
  const texts = tried.map(({ place, error, tookMs }) =>
    error === undefined ? `${place} in ${shortDuration(tookMs)}` : `not ${place}: ${toFailureMeaning(error)}`,
  );
  return passed('connection', texts.join(', '));
}

interface TriedAddress {
  readonly place: string;
  readonly tookMs: number;
  readonly error: Error | undefined;
}

async function tryAddress(address: string, port: number, clock: Clock): Promise<TriedAddress> {
  const startedAt = clock.monotonic();
  const error = await new Promise<Error | undefined>((resolve) => {
    const socket = connect({ host: address, port });
    const end = (failure?: Error): void => {
      socket.destroy();
      resolve(failure);
    };
    socket.once('connect', () => end()).once('error', end);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => end(toTimeout(address, port)));
  });
  const place = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return { place, tookMs: clock.monotonic() - startedAt, error };
}

function toTimeout(address: string, port: number): Error {
  const message = `connect ETIMEDOUT ${address}:${port}`;
  return Object.assign(new AgentError(message, { code: 'ETIMEDOUT' }), { address, port });
}

function resolve(host: string): Promise<readonly LookupAddress[]> {
  return new Promise((done, fail) =>
    lookupHost(host, { all: true }, (error, found) => (error ? fail(error) : done(found as LookupAddress[]))),
  );
}

function toFailed(step: 'name' | 'connection', error: unknown, isProxy: boolean): StepResult {
  const reason = toFailureReason(error, isProxy);
  return failed(step, reason, findRemedy(reason));
}
