import { networkInterfaces } from 'node:os';

import { isLoopback } from './loopback.ts';

const LINK_LOCAL = /^(169\.254\.|fe80:)/i;

/**
 * Returns whether this device has an address from which the receiver could be reached: one that is neither loopback nor
 * link-local. A receiver on the device itself can always be reached.
 */
export function hasRouteTo(url: string): boolean {
  if (isLoopback(new URL(url))) return true;
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .some(({ internal, address }) => !internal && !LINK_LOCAL.test(address));
}
