import { createMalformedError, readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import {
  createLineError,
  parseDecimal,
  quote,
  splitFields,
  splitLines,
  type KernelLine,
} from '../parsing/kernel-text.ts';

const IPV4 = '/proc/net/route';
const IPV6 = '/proc/net/ipv6_route';
/** Flags of a route (include/uapi/linux/route.h): only one that is up and does not refuse packets carries them. */
const RTF_UP = 0x1;
const RTF_REJECT = 0x200;

/** A default route: of several that of the lowest metric is used. */
interface DefaultRoute {
  readonly name: string;
  readonly metric: number;
}

/** Reads the default routes in use. The routes are parsed when their text changes, which most scrapes do not see. */
export class DefaultRoutes {
  readonly #kernel: KernelSource;
  #texts: readonly string[] = [];
  #interfaces: ReadonlySet<string> = new Set();

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  /**
   * Returns the interfaces of the default routes in use, of IPv4 and of IPv6, as the main routing table has them. IPv6 may
   * be disabled; a kernel with a network has IPv4.
   *
   * @throws AgentError KERNEL_FILE_ABSENT, KERNEL_FILE_MALFORMED, KERNEL_FILE_UNREADABLE
   */
  async read(): Promise<ReadonlySet<string>> {
    const ipv4 = await this.#kernel.proc('net/route');
    const ipv6 = await readOptional(this.#kernel.proc('net/ipv6_route'), '');
    if (ipv4 !== this.#texts[0] || ipv6 !== this.#texts[1]) {
      this.#interfaces = new Set([...selectUsed(parseIpv4Routes(ipv4)), ...selectUsed(parseIpv6Routes(ipv6))]);
      this.#texts = [ipv4, ipv6];
    }
    return this.#interfaces;
  }
}

function selectUsed(routes: readonly DefaultRoute[]): string[] {
  const lowest = routes.reduce((least, { metric }) => Math.min(least, metric), Infinity);
  return routes.filter(({ metric }) => metric === lowest).map(({ name }) => name);
}

/**
 * Parses /proc/net/route (net/ipv4/fib_trie.c): the columns Iface, Destination, Gateway, Flags, RefCnt, Use, Metric and Mask,
 * and others. Returns the default routes.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseIpv4Routes(text: string): readonly DefaultRoute[] {
  const [header, ...lines] = splitLines(IPV4, text);
  if (header === undefined || !/^Iface\tDestination\tGateway *\tFlags\tRefCnt\tUse\tMetric\tMask\t/.test(header.text))
    throw createMalformedError(IPV4, 'line 1: unknown columns');
  return lines.flatMap((line) => {
    const [name = '', destination = '', , flags = '', , , metric = '', mask = ''] = requireFields(line, 11);
    const isDefault = parseHex(line, destination) === 0 && parseHex(line, mask) === 0;
    return isDefault && isUsable(line, flags) ? [{ name, metric: parseDecimal(line, metric) }] : [];
  });
}

/**
 * Parses /proc/net/ipv6_route (net/ipv6/route.c): destination, its prefix length, source, its prefix length, gateway, metric,
 * references, uses, flags, all hexadecimal, and the interface. Empty if there are no routes. Returns the default routes.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseIpv6Routes(text: string): readonly DefaultRoute[] {
  if (text === '') return [];
  return splitLines(IPV6, text).flatMap((line) => {
    const [destination = '', length = '', , , , metric = '', , , flags = '', name = ''] = requireFields(line, 10);
    if (!/^[0-9a-f]{32}$/.test(destination)) throw createLineError(line, `${quote(destination)} is not an address`);
    const isDefault = /^0+$/.test(destination) && parseHex(line, length) === 0;
    return isDefault && isUsable(line, flags) ? [{ name, metric: parseHex(line, metric) }] : [];
  });
}

function requireFields(line: KernelLine, count: number): string[] {
  const fields = splitFields(line.text);
  if (fields.length < count) throw createLineError(line, `${fields.length} fields, expected ${count}`);
  return fields;
}

function isUsable(line: KernelLine, flags: string): boolean {
  return (parseHex(line, flags) & (RTF_UP | RTF_REJECT)) === RTF_UP;
}

function parseHex(line: KernelLine, field: string): number {
  if (!/^[0-9A-Fa-f]{1,8}$/.test(field)) throw createLineError(line, `${quote(field)} is not a hexadecimal number`);
  return parseInt(field, 16);
}
