import { AgentError, toErrorCode } from '@thugshells/shared/errors.ts';

import { createMalformedError, readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { parseNumberFile, quote, splitLines } from '../parsing/kernel-text.ts';

/** Where the kernel has a directory for each interface. */
export const NET = 'class/net';
/** A file of the bonding driver among them. */
const BONDING_MASTERS = 'bonding_masters';

/** What stays of an interface while it exists. */
export interface NetworkInterface {
  readonly name: string;
  /** Type of device (DEVTYPE) such as `wlan` or `wwan`, else what its packets begin with: `ethernet`, `ppp`. */
  readonly kind: string;
  /** Driver of the hardware; undefined if it has none, as a bridge or a tunnel. */
  readonly driver: string | undefined;
  /** Whether it may have a speed and a duplex mode: it is Ethernet and no radio. */
  readonly isWired: boolean;
}

const ETHERNET = 1;
/** Types of interfaces (include/uapi/linux/if_arp.h); the numbers of others are the kind. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [ETHERNET, 'ethernet'],
  [280, 'can'],
  [512, 'ppp'],
  [519, 'rawip'],
  [772, 'loopback'],
  [65_534, 'none'],
]);
const RADIOS = ['wlan', 'wwan'];

/** Remembers what stays of interfaces. It is read again if an interface is another device, such as one on another port. */
export class Interfaces {
  readonly #kernel: KernelSource;
  #known = new Map<string, { readonly target: string | undefined; readonly found: NetworkInterface }>();

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  /**
   * Lists the names of interfaces; those that are not UTF-8 are `unnamable`: sysfs has them, and no path leads there.
   *
   * @throws AgentError KERNEL_FILE_ABSENT if the kernel has no network, else as `KernelSource.sysEntries` does
   */
  async list(): Promise<{ readonly names: readonly string[]; readonly unnamable: number }> {
    const entries = await this.#kernel.sysEntries(NET);
    const interfaces = entries.filter((entry) => entry !== BONDING_MASTERS);
    const names = interfaces.filter((entry) => !entry.includes('\ufffd'));
    for (const name of this.#known.keys()) if (!entries.includes(name)) this.#known.delete(name);
    return { names, unnamable: interfaces.length - names.length };
  }

  /**
   * Returns what stays of an interface.
   *
   * @throws AgentError KERNEL_FILE_ABSENT if it has gone or is none, KERNEL_FILE_MALFORMED, KERNEL_FILE_UNREADABLE
   */
  async find(name: string): Promise<NetworkInterface> {
    const target = await readOptional(this.#kernel.sysLink(`${NET}/${name}`), undefined);
    const known = this.#known.get(name);
    if (known !== undefined && known.target === target) return known.found;
    const found = await this.#read(name);
    this.#known.set(name, { target, found });
    return found;
  }

  async #read(name: string): Promise<NetworkInterface> {
    const path = `${NET}/${name}`;
    const deviceType = parseDeviceType(name, await this.#kernel.sys(`${path}/uevent`));
    const type = parseNumberFile(`/sys/${path}/type`, await this.#kernel.sys(`${path}/type`));
    const driver = await readOptional(this.#kernel.sysLink(`${path}/device/driver`), undefined);
    return {
      name,
      kind: deviceType ?? TYPES.get(type) ?? String(type),
      driver: driver?.split('/').pop(),
      isWired: type === ETHERNET && !RADIOS.includes(deviceType ?? ''),
    };
  }
}

/** Parses `uevent` of an interface (net/core/net-sysfs.c): DEVTYPE if there is any, then INTERFACE and IFINDEX. */
function parseDeviceType(name: string, text: string): string | undefined {
  const path = `/sys/${NET}/${name}/uevent`;
  const fields = new Map(
    splitLines(path, text).map((line): [string, string] => {
      const equals = line.text.indexOf('=');
      return [line.text.slice(0, Math.max(0, equals)), line.text.slice(equals + 1)];
    }),
  );
  if (fields.get('INTERFACE') !== name)
    throw createMalformedError(path, `no line INTERFACE=${quote(name).slice(1, -1)}`);
  return fields.get('DEVTYPE');
}

/** Returns the text of an attribute, or `down` while the interface is down: the kernel returns EINVAL for it. */
export async function readWhileUp(read: Promise<string>, down: string): Promise<string> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof AgentError && toErrorCode(error.cause) === 'EINVAL') return down;
    throw error;
  }
}
