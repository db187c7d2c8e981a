import { lookup, type LookupAddress, type LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';

import { isLocalhost } from './loopback.ts';

const LOOPBACK: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

function isWanted({ family }: LookupAddress, wanted: LookupOptions['family']): boolean {
  return wanted === undefined || wanted === 0 || wanted === family || wanted === `IPv${family}`;
}

/**
 * Resolves a host as the system does; `localhost` is both loopback addresses (RFC 6761, section 6.3), also where /etc/hosts
 * knows one of them only.
 */
export const lookupHost: LookupFunction = (host, options, done) => {
  if (!isLocalhost(host)) return void lookup(host, options, done);
  const found = LOOPBACK.filter((each) => isWanted(each, options.family));
  const [first = LOOPBACK[0]!] = found;
  queueMicrotask(() => (options.all === true ? done(null, found) : done(null, first.address, first.family)));
};
