/** What the stored samples have on the device; what is not collected is missing. */
export interface DeviceFacts {
  /** When the newest of the samples was stored, Unix milliseconds. */
  readonly atMs: number;
  readonly model?: string;
  readonly os?: string;
  readonly kernel?: string;
  readonly architecture?: string;
  readonly timeZone?: string;
  readonly isClockSynchronized?: boolean;
  readonly uptimeSeconds?: number;
  /** Why the firmware throttles the processor now; missing where no firmware reports it. */
  readonly throttledBecause?: readonly string[];
  readonly temperatures: readonly { readonly zone: string; readonly celsius: number }[];
  readonly fileSystems: readonly FileSystemFact[];
  readonly links: readonly LinkFact[];
}

export interface FileSystemFact {
  readonly mountpoint: string;
  readonly sizeBytes: number;
  readonly availableBytes: number;
  readonly isReadonly: boolean;
}

/** A network interface, with what is known of its link. */
export interface LinkFact {
  readonly name: string;
  readonly kind?: string;
  readonly isUp?: boolean;
  readonly hasDefaultRoute: boolean;
  readonly signalDbm?: number;
  readonly addresses: readonly string[];
}

/** The newest value of a series. */
export interface NewestValue {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: unknown;
}

/** The series that facts are made of. */
export const FACT_SERIES = [
  ...['system.model', 'system.os_release', 'system.kernel', 'system.architecture', 'system.time_zone'],
  ...['system.clock_synchronized', 'system.uptime_seconds', 'cpu.throttled', 'cpu.temperature_celsius'],
  ...['filesystem.size_bytes', 'filesystem.available_bytes', 'filesystem.readonly'],
  ...['network.up', 'network.info', 'network.default_route', 'network.wireless_signal_dbm'],
] as const;

type FactSeries = (typeof FACT_SERIES)[number];
type AddressesByInterface = Readonly<Record<string, readonly string[]>>;

/**
 * Builds the facts from the newest values.
 *
 * @param addresses of the kernel, by interface; they are no samples
 */
export function toDeviceFacts(
  atMs: number,
  values: readonly NewestValue[],
  addresses: AddressesByInterface,
): DeviceFacts {
  const all = (name: FactSeries): NewestValue[] => values.filter((each) => each.name === name);
  const text = (name: FactSeries): string | undefined => toText(all(name)[0]?.value);
  const number = (name: FactSeries): number | undefined => toNumber(all(name)[0]?.value);
  const throttled = all('cpu.throttled');
  const synchronized = number('system.clock_synchronized');
  const facts = {
    model: text('system.model'),
    os: text('system.os_release'),
    kernel: text('system.kernel'),
    architecture: text('system.architecture'),
    timeZone: text('system.time_zone'),
    isClockSynchronized: synchronized === undefined ? undefined : synchronized === 1,
    uptimeSeconds: number('system.uptime_seconds'),
    throttledBecause:
      throttled.length === 0
        ? undefined
        : throttled.filter(({ value }) => value === 1).map(({ labels }) => labels['reason'] ?? 'unknown reason'),
  };
  const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
  return {
    atMs,
    ...known,
    temperatures: all('cpu.temperature_celsius').flatMap(({ labels: { zone = 'sensor' }, value }) => {
      const celsius = toNumber(value);
      return celsius === undefined ? [] : [{ zone, celsius }];
    }),
    fileSystems: toFileSystems(all),
    links: toLinks(all, addresses),
  };
}

function toText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function toNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

type FindAll = (name: FactSeries) => readonly NewestValue[];

function toFileSystems(all: FindAll): FileSystemFact[] {
  const find = (name: FactSeries, mountpoint: string): number | undefined =>
    toNumber(all(name).find(({ labels }) => labels['mountpoint'] === mountpoint)?.value);
  return all('filesystem.size_bytes').flatMap(({ labels, value }) => {
    const mountpoint = labels['mountpoint'] ?? '';
    const [sizeBytes, availableBytes] = [toNumber(value), find('filesystem.available_bytes', mountpoint)];
    if (sizeBytes === undefined || availableBytes === undefined) return [];
    return [{ mountpoint, sizeBytes, availableBytes, isReadonly: find('filesystem.readonly', mountpoint) === 1 }];
  });
}

function toLinks(all: FindAll, addresses: AddressesByInterface): LinkFact[] {
  const find = (series: FactSeries, name: string): NewestValue | undefined =>
    all(series).find(({ labels }) => labels['interface'] === name);
  const collected = all('network.up').flatMap(({ labels }) => labels['interface'] ?? []);
  return [...new Set([...collected, ...Object.keys(addresses)])].map((name) => {
    const [isUp, signalDbm] = [find('network.up', name), find('network.wireless_signal_dbm', name)].map((each) =>
      toNumber(each?.value),
    );
    const kind = find('network.info', name)?.labels['kind'];
    return {
      name,
      ...(kind === undefined ? {} : { kind }),
      ...(isUp === undefined ? {} : { isUp: isUp === 1 }),
      hasDefaultRoute: find('network.default_route', name)?.value === 1,
      ...(signalDbm === undefined ? {} : { signalDbm }),
      addresses: addresses[name] ?? [],
    };
  });
}
