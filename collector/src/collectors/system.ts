import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector, Scrape } from './collector.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { CLOCK_SYNC_SERIES, readClockSynchronized } from './readers/clock-sync.ts';
import { readModel } from './readers/device-model.ts';
import { DISK_MODEL_SERIES, readDiskModels } from './readers/disk-model.ts';
import { KeptReadings } from './readers/kept-readings.ts';
import { readOsRelease } from './readers/os-release.ts';
import { readEach } from './readers/partial-result.ts';
import { readTimeZone } from './readers/time-zone.ts';
import { parseSingleLine, createLineError, quote } from './parsing/kernel-text.ts';
import { readOptional } from '../kernel/kernel-file-errors.ts';

const text = (name: string, help: string) => declareSeries({ name, kind: 'gauge', unit: 'none', help });
const model = text('system.model', 'Model of the device, from its device tree or its firmware.');
const osRelease = text('system.os_release', 'Operating system and its version, from os-release.');
const architecture = text('system.architecture', 'Architecture of the kernel, as uname -m.');
const timeZone = text('system.time_zone', 'Time zone of the device.');
export const SYSTEM_SERIES: readonly SeriesDeclaration[] = [
  model,
  osRelease,
  architecture,
  timeZone,
  ...DISK_MODEL_SERIES,
  ...CLOCK_SYNC_SERIES,
];

/** Since Linux 6.1; what uname(2) returns as machine. */
const ARCHITECTURE = 'sys/kernel/arch';

/**
 * Collects what the device, its disks and its operating system are, and whether its clock is synchronized. What takes a
 * thread to read and hardly ever changes is kept for a while.
 */
export class SystemCollector implements Collector {
  readonly name = 'system';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #machine: string | undefined;
  readonly #kept: readonly KeptReadings[];
  readonly #clock: KeptReadings;

  /** `machine` is the architecture where the kernel does not show it. */
  constructor(kernel: KernelSource, machine?: string) {
    this.#kernel = kernel;
    this.#machine = machine;
    this.#clock = new KeptReadings(() => readClockSynchronized(kernel));
    this.#kept = [
      new KeptReadings(async () => toReadings(model, await readModel(kernel))),
      new KeptReadings(async () => toReadings(osRelease, await readOsRelease(kernel))),
      new KeptReadings(async () => toReadings(timeZone, await readTimeZone(kernel))),
      new KeptReadings(() => readDiskModels(kernel)),
    ];
  }

  collect({ monotonicMs }: Scrape): Promise<readonly Reading[]> {
    return readEach([
      ...this.#kept.map((source) => () => source.read(monotonicMs)),
      async () => toReadings(architecture, await this.#readArchitecture()),
      () => this.#clock.readUnlessAbsent(monotonicMs),
    ]);
  }

  async #readArchitecture(): Promise<string | undefined> {
    const text = await readOptional(this.#kernel.proc(ARCHITECTURE), undefined);
    if (text === undefined) return this.#machine;
    const line = parseSingleLine(`/proc/${ARCHITECTURE}`, text);
    if (!/^[!-~]{1,64}$/.test(line.text)) throw createLineError(line, `${quote(line.text)} is not an architecture`);
    return line.text;
  }
}

/** @throws AgentError KERNEL_FILE_ABSENT if the device does not show it */
function toReadings(series: SeriesDeclaration, value: string | undefined): Reading[] {
  if (value !== undefined) return [{ series, labels: {}, value }];
  throw new AgentError(`the device has no file with its ${series.name}`, { code: 'KERNEL_FILE_ABSENT' });
}
