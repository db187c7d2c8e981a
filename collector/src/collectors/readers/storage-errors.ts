import { AgentError } from '@thugshells/shared/errors.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { parseHexFile, parseNumberFile } from '../parsing/kernel-text.ts';
import { Discovery } from './discovery.ts';
import { readEach, type SourceReader } from './partial-result.ts';

const total = (name: string, help: string) => declareSeries({ name, kind: 'counter', unit: 'none', help });
const ioErrors = total(
  'disk.io_errors_total',
  'Commands that a disk on SCSI, SATA or USB ended with an error since it appeared; not all are failures.',
);
const fileSystemErrors = total(
  'filesystem.errors_total',
  'Errors that an ext4 found in itself; kept over boots, until e2fsck repairs it.',
);
export const STORAGE_ERROR_SERIES: readonly SeriesDeclaration[] = [ioErrors, fileSystemErrors];

/** Where the kernel has a directory for each of several things, and in it a file that counts errors. */
interface CounterDirectory {
  readonly series: SeriesDeclaration;
  readonly directory: string;
  /** Below the directory of a thing: the directory with the file. */
  readonly below: string;
  readonly file: string;
  readonly parse: (path: string, text: string) => number;
}

const COUNTERS: readonly CounterDirectory[] = [
  {
    series: ioErrors,
    directory: 'block',
    below: '/device',
    file: 'ioerr_cnt',
    parse: (path, text) => parseHexFile(path, text, 1)[0] as number,
  },
  { series: fileSystemErrors, directory: 'fs/ext4', below: '', file: 'errors_count', parse: parseNumberFile },
];

/**
 * Reads the errors that sysfs counts:
 *
 * - of devices that speak SCSI, which includes SATA and USB (drivers/scsi/scsi_sysfs.c: `ioerr_cnt`, hexadecimal). The kernel
 *   counts each command that did not succeed (scsi_complete() in drivers/scsi/scsi_lib.c): also a question to a card
 *   reader without a card, and some of those that `smartctl` sends.
 * - of ext4, which also serves ext2 and ext3 (fs/ext4/sysfs.c: `errors_count`, `s_error_count` of the superblock).
 *
 * No others: eMMC and SD cards have their `err_stats` in debugfs, which only root may enter; NVMe has them in its own log;
 * f2fs counts none (Documentation/ABI/testing/sysfs-fs-f2fs).
 */
export class StorageErrors {
  readonly #kernel: KernelSource;
  readonly #discovery = new Discovery<readonly SourceReader[]>();

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  /** @throws AgentError KERNEL_FILE_ABSENT if nothing is counted; else as `readEach` does */
  async read(): Promise<readonly Reading[]> {
    const listed = await Promise.all(COUNTERS.map(({ directory }) => this.#list(directory)));
    const sources = await this.#discovery.find(JSON.stringify(listed), () => this.#find(listed));
    if (sources.length > 0) return readEach(sources);
    throw new AgentError('neither /sys/block nor /sys/fs/ext4 counts errors', { code: 'KERNEL_FILE_ABSENT' });
  }

  async #find(listed: readonly (readonly string[])[]): Promise<SourceReader[]> {
    const sources: SourceReader[] = [];
    for (const [index, { series, directory, below, file, parse }] of COUNTERS.entries()) {
      for (const entry of listed[index] as readonly string[]) {
        const place = `${directory}/${entry}${below}`;
        if (!(await this.#list(place)).includes(file)) continue;
        const labels = { device: entry.replaceAll('!', '/') };
        const path = `${place}/${file}`;
        sources.push(async () => [{ series, labels, value: parse(`/sys/${path}`, await this.#kernel.sys(path)) }]);
      }
    }
    return sources;
  }

  #list(directory: string): Promise<readonly string[]> {
    return readOptional(this.#kernel.sysEntries(directory), []);
  }
}
