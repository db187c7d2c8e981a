import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
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

/** Whether this process may mount. */
export function mayMount(): boolean {
  return process.getuid?.() === 0 && canUmount();
}

/**
 * The start of a command line that runs a command where it may mount, and where nothing that it mounts is seen from
 * outside or stays behind: a mount namespace, which whoever is not root gets with a user namespace. In a chroot whose
 * root is no mount point root gets neither, and mounts in place: unmountLeftover() is for that.
 */
export function mountNamespace(): readonly string[] {
  const asRoot = ['unshare', '--mount'];
  if (spawnSync(asRoot[0]!, [...asRoot.slice(1), 'true']).status === 0) return asRoot;
  return mayMount() ? [] : ['unshare', '--user', '--map-root-user', '--mount'];
}

/** Unmounts what was mounted there without a namespace. */
export function unmountLeftover(path: string): void {
  if (process.getuid?.() === 0) spawnSync('umount', ['--lazy', '--quiet', path]);
}

/** What to do where a test may not even make a namespace. */
export const NAMESPACE_HINT =
  'run as root, or allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 (on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0)';

function canUmount(): boolean {
  const probe = join(tmpdir(), `thugshells-mount-probe-${process.pid}`);
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
