import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of a few megabytes that a test can fill and empty. */
export interface SmallFileSystem {
  readonly folder: string;
  /** Leaves at most this much free. */
  fill(freeBytes: number): void;
  /** Gives back what fill() took. */
  empty(): void;
  remove(): void;
}

const BLOCK = 4096;

/** Mounts a file system in memory; only root may. @throws where this is not allowed */
export function mountSmall(folder: string, bytes: number): SmallFileSystem {
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]);
  const filler = join(folder, 'filler');
  return {
    folder,
    fill(freeBytes) {
      const descriptor = openSync(filler, 'a');
      const { bavail, bsize } = statfsSync(folder);
      try {
        writeSync(descriptor, Buffer.alloc(Math.max(0, bavail * bsize - freeBytes), 1));
      } catch (error) {
        if ((error as { code?: string }).code !== 'ENOSPC') throw error;
        ftruncateSync(descriptor, 0);
        throw error;
      } finally {
        closeSync(descriptor);
      }
    },
    empty: () => rmSync(filler, { force: true }),
    remove: () => execFileSync('umount', ['-l', folder]),
  };
}

/** Whether this process may mount; what cannot be mounted is made to look full by a limit on pages instead. */
export function mayMount(): boolean {
  return process.getuid?.() === 0 && canUmount();
}

function canUmount(): boolean {
  const probe = join('/tmp', `thugshells-mount-probe-${process.pid}`);
  try {
    const mounted = mountSmall(probe, 16 * BLOCK);
    mounted.remove();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}
