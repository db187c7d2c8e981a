import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector, LeftOutSamples } from './collector.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { createLineError, parseAttribute, parseDecimal, parseNumberFile, quote } from './parsing/kernel-text.ts';
import { createNameFilter } from './parsing/name-filter.ts';
import { DefaultRoutes } from './readers/default-routes.ts';
import { InterfaceLimit, type InterfaceRules } from './readers/interface-limit.ts';
import { Interfaces, NET, readWhileUp, type NetworkInterface } from './readers/interfaces.ts';
import { readEach } from './readers/partial-result.ts';
import { parseWireless, WIRELESS_SERIES } from './readers/wireless.ts';

const gauge = (name: string, help: string) => declareSeries({ name, kind: 'gauge', unit: 'none', help });
const up = gauge(
  'network.up',
  'Whether the interface can carry packets: 1 if its operational state is up, or unknown and it has a carrier.',
);
const info = gauge(
  'network.info',
  'Always 1; the labels have the kind of the interface and the driver of its hardware.',
);
const defaultRoute = gauge(
  'network.default_route',
  'Whether the default route in use, of IPv4 or of IPv6, leads through the interface.',
);
const fullDuplex = gauge(
  'network.full_duplex',
  'Whether a wired interface sends and receives at once: 1 full, 0 half duplex.',
);
const speed = declareSeries({
  name: 'network.speed_bytes_per_second',
  kind: 'gauge',
  unit: 'bytes_per_second',
  help: 'Speed that a wired interface has negotiated.',
});
const carrierChanges = declareSeries({
  name: 'network.carrier_changes_total',
  kind: 'counter',
  unit: 'none',
  help: 'Times that the link of the interface came up or went down; shows what happens between two scrapes.',
});
export const LINK_SERIES: readonly SeriesDeclaration[] = [
  up,
  info,
  defaultRoute,
  carrierChanges,
  speed,
  fullDuplex,
  ...WIRELESS_SERIES,
];

/** Operational states (RFC 2863; Documentation/networking/operstates.rst). */
const STATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const;
/** What kernels return as a speed that is not known: 0, -1, and either as an unsigned number of 16 or 32 bits. */
const UNKNOWN_SPEEDS = ['0', '-1', '65535', '4294967295'];
/** Of Mbit/s. */
const BYTES_PER_SECOND = 1_000_000 / 8;
const DUPLEX_MODES: ReadonlyMap<string, 0 | 1 | null> = new Map([
  ['full', 1],
  ['half', 0],
  ['unknown', null],
]);

/** Readings of speed and duplex, and the count of changes of the carrier at which they were read. */
interface Negotiated {
  readonly changes: number;
  readonly readings: readonly Reading[];
}

/** Collects whether network interfaces are connected, how fast, how well, and which one has the default route. */
export class LinkCollector implements Collector {
  readonly name = 'link';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #defaultRoutes: DefaultRoutes;
  readonly #interfaces: Interfaces;
  readonly #isWanted: (name: string) => boolean;
  readonly #limit: InterfaceLimit;
  #unnamable = 0;
  /** By interface: a driver that asks its hardware takes milliseconds, during which the kernel changes no interface. */
  #negotiated = new Map<string, Negotiated>();

  constructor(kernel: KernelSource, options: InterfaceRules) {
    this.#kernel = kernel;
    this.#defaultRoutes = new DefaultRoutes(kernel);
    this.#interfaces = new Interfaces(kernel);
    this.#isWanted = createNameFilter(options);
    this.#limit = new InterfaceLimit(options.maxInterfaces);
  }

  get leftOut(): readonly LeftOutSamples[] {
    if (this.#unnamable === 0) return [];
    return [{ event: 'value left out', count: 0, reason: `${this.#unnamable} interfaces whose name is not UTF-8` }];
  }

  async collect(): Promise<readonly Reading[]> {
    this.#unnamable = 0;
    const { names, unnamable } = await this.#interfaces.list();
    this.#unnamable = unnamable;
    const chosen = this.#limit.choose(names.filter(this.#isWanted));
    for (const name of this.#negotiated.keys()) if (!chosen.has(name)) this.#negotiated.delete(name);
    return readEach([
      ...[...chosen].map((name) => () => this.#readInterface(name)),
      () => this.#readDefaultRoutes(chosen),
      async () => parseWireless(await this.#kernel.proc('net/wireless'), (name) => chosen.has(name)),
    ]);
  }

  async #readDefaultRoutes(chosen: ReadonlySet<string>): Promise<readonly Reading[]> {
    const used = await this.#defaultRoutes.read();
    return [...chosen].map((name) => ({
      series: defaultRoute,
      labels: { interface: name },
      value: used.has(name) ? 1 : 0,
    }));
  }

  /** Reads what there is of an interface; nothing if it has gone. */
  async #readInterface(name: string): Promise<readonly Reading[]> {
    const path = `${NET}/${name}`;
    const labels = { interface: name };
    let isUp = false;
    let changes: number | undefined;
    let found: NetworkInterface | undefined;
    return readEach([
      async () => {
        isUp = await this.#readState(path);
        return [{ series: up, labels, value: isUp ? 1 : 0 }];
      },
      async () => {
        found = await this.#interfaces.find(name);
        const { kind, driver } = found;
        return [{ series: info, labels: { ...labels, kind, ...(driver === undefined ? {} : { driver }) }, value: 1 }];
      },
      async () => {
        const file = `${path}/carrier_changes`;
        changes = parseNumberFile(`/sys/${file}`, await this.#kernel.sys(file));
        return [{ series: carrierChanges, labels, value: changes }];
      },
      async () => (isUp && found?.isWired === true ? this.#readNegotiated(found, changes) : []),
    ]);
  }

  /** Drivers without a state of their own, as of tunnels and many modems, leave it unknown: there the carrier decides. */
  async #readState(path: string): Promise<boolean> {
    const file = `${path}/operstate`;
    const line = parseAttribute(`/sys/${file}`, await this.#kernel.sys(file));
    const state = STATES.find((one) => one === line.text);
    if (state === undefined) throw createLineError(line, `${quote(line.text)} is not an operational state`);
    if (state !== 'unknown') return state === 'up';
    const carrier = await readWhileUp(this.#kernel.sys(`${path}/carrier`), '0');
    return parseNumberFile(`/sys/${path}/carrier`, carrier) === 1;
  }

  /** Reads speed and duplex: of hardware only once for each connection, as it negotiates them when the carrier comes. */
  async #readNegotiated({ name, driver }: NetworkInterface, changes: number | undefined): Promise<readonly Reading[]> {
    const before = this.#negotiated.get(name);
    if (before !== undefined && before.changes === changes) return before.readings;
    const labels = { interface: name };
    const readings = await readEach([
      () => this.#readSpeed(`${NET}/${name}/speed`, labels),
      () => this.#readDuplex(`${NET}/${name}/duplex`, labels),
    ]);
    this.#negotiated.delete(name);
    if (driver !== undefined && changes !== undefined && readings.length === 2)
      this.#negotiated.set(name, { changes, readings });
    return readings;
  }

  async #readSpeed(file: string, labels: Labels): Promise<readonly Reading[]> {
    const line = parseAttribute(`/sys/${file}`, await readWhileUp(this.#kernel.sys(file), '-1'));
    if (UNKNOWN_SPEEDS.includes(line.text)) return [];
    return [{ series: speed, labels, value: parseDecimal(line, line.text) * BYTES_PER_SECOND }];
  }

  async #readDuplex(file: string, labels: Labels): Promise<readonly Reading[]> {
    const line = parseAttribute(`/sys/${file}`, await readWhileUp(this.#kernel.sys(file), 'unknown'));
    const value = DUPLEX_MODES.get(line.text);
    if (value === undefined) throw createLineError(line, `${quote(line.text)} is not a duplex mode`);
    return value === null ? [] : [{ series: fullDuplex, labels, value }];
  }
}
