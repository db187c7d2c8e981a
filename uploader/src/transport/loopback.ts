import { BlockList, isIP } from 'node:net';

const LOCALHOST = /^(.+\.)?localhost\.?$/i;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Whether a name is `localhost` or ends in it (RFC 6761, section 6.3): this device, whatever a name server responds. */
export function isLocalhost(name: string): boolean {
  return LOCALHOST.test(name);
}

/** Whether a URL's host is this device itself: `localhost`, 127.0.0.0/8 or ::1. */
export function isLoopback({ hostname }: Pick<URL, 'hostname'>): boolean {
  const address = hostname.replace(/^\[|\]$/g, '');
  const version = isIP(address);
  return version === 0 ? isLocalhost(hostname) : loopback.check(address, `ipv${version === 4 ? 4 : 6}`);
}
