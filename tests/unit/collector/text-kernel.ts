import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Reading } from '@thugshells/shared/sample.js';

import type { Collector } from '../../../collector/src/collector.js';
import { kernelFileFault, type KernelSource } from '../../../collector/src/kernel-files.js';

/** The recorded board; its README says where it comes from. */
export const RECORDING = join(import.meta.dirname, '../../fixtures/x86-vm');

/** The text of a recorded file, such as `proc-later/stat`. */
export function recorded(relativePath: string): string {
  return readFileSync(join(RECORDING, relativePath), 'utf8');
}

/** A kernel whose files are the texts it was given; a test changes them between two scrapes. */
export class TextKernel implements KernelSource {
  readonly files: Map<string, string>;

  constructor(files: Readonly<Record<string, string>> = {}) {
    this.files = new Map(Object.entries(files));
  }

  async proc(relativePath: string): Promise<string> {
    return this.#text(`proc/${relativePath}`);
  }

  async sys(relativePath: string): Promise<string> {
    return this.#text(`sys/${relativePath}`);
  }

  /** Also of a directory that is there and empty: given as a file of that path that ends in `/`. */
  async sysEntries(relativeDirectory: string): Promise<readonly string[]> {
    const prefix = `sys/${relativeDirectory}/`;
    const below = [...this.files.keys()].filter((path) => path.startsWith(prefix));
    if (below.length === 0) throw absent(prefix);
    return [...new Set(below.map((path) => path.slice(prefix.length).split('/')[0] ?? ''))].filter((name) => name !== '');
  }

  #text(path: string): string {
    const text = this.files.get(path);
    if (text === undefined) throw absent(path);
    return text;
  }
}

function absent(path: string): Error {
  return kernelFileFault(path, Object.assign(new Error('no such text'), { code: 'ENOENT' }));
}

/** Readings by series and labels, as `cpu.usage_percent{core=all}`; a series that comes twice is an error. */
export function byIdentity(readings: readonly Reading[]): Record<string, number | string> {
  const values: Record<string, number | string> = {};
  for (const { series, labels, value } of readings) {
    const pairs = Object.entries(labels).map(([name, label]) => `${name}=${label}`);
    const identity = pairs.length === 0 ? series.name : `${series.name}{${pairs.join(',')}}`;
    if (identity in values) throw new Error(`${identity} was read twice`);
    values[identity] = value;
  }
  return values;
}

/** Gives a collector several texts of one file, ten seconds apart, and returns what it read of the last. */
export async function scrapes(collector: Collector, kernel: TextKernel, path: string, texts: readonly string[]) {
  let readings: readonly Reading[] = [];
  for (const [index, text] of texts.entries()) {
    kernel.files.set(path, text);
    readings = await collector.collect({ monotonicMs: 5_000 + index * 10_000 });
  }
  return byIdentity(readings);
}
