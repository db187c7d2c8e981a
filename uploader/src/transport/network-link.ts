import { networkInterfaces } from 'node:os';

const LOOPBACK_HOST = /^(localhost|127\.[\d.]+|\[::1\])$/;
const LINK_LOCAL = /^(169\.254\.|fe80:)/i;

/**
 * Whether this board has an address from which a receiver could be reached: one that is neither loopback nor
 * link-local, or a receiver on the board itself.
 */
export function hasRouteTo(url: string): boolean {
  if (LOOPBACK_HOST.test(new URL(url).hostname)) return true;
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .some(({ internal, address }) => !internal && !LINK_LOCAL.test(address));
}
