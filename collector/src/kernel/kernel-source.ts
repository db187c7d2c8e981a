import type { HostSource } from './host-files.ts';
import type { FileSystemSpace, MountKind } from './mount-space.ts';

/** The interface that collectors read through: files below /proc and /sys and of the host, of a real kernel or of a simulated one. */
export interface KernelSource {
  /**
   * Reads a file below /proc, such as `net/dev`.
   *
   * @throws AgentError KERNEL_FILE_ABSENT, KERNEL_FILE_UNREADABLE, or KERNEL_FILE_MALFORMED if it is too large
   */
  proc(relativePath: string): Promise<string>;
  /** Returns the names in a directory below /proc, unsorted; throws as `proc` does. */
  procEntries(relativeDirectory: string): Promise<readonly string[]>;
  /** Returns how many names there are in a directory below /proc, such as `1/fd`; throws as `proc` does. */
  procEntryCount(relativeDirectory: string): Promise<number>;
  /** Reads a file below /sys, such as `block/sda/queue/logical_block_size`; throws as `proc` does. */
  sys(relativePath: string): Promise<string>;
  /** Returns the sorted names in a directory below /sys, such as `block`; throws as `proc` does. */
  sysEntries(relativeDirectory: string): Promise<readonly string[]>;
  /**
   * Returns what a symbolic link below /sys leads to, as a path below /sys; undefined if the path is of something else.
   * Throws as `proc` does.
   */
  sysLink(relativePath: string): Promise<string | undefined>;
  /** Returns the inode of a directory below /sys: another one if it was created anew. Throws as `proc` does. */
  sysInode(relativeDirectory: string): Promise<number>;
  /**
   * Returns the space of the file system mounted at an absolute path. Calls must not overlap.
   *
   * @throws AgentError KERNEL_FILE_HUNG if statfs(2) does not return in time, else as `proc` does
   */
  statfs(mountpoint: string, kind: MountKind): Promise<FileSystemSpace>;
  /** Files of the operating system that are neither below /proc nor /sys. */
  readonly host: HostSource;
  /** Ends the processes whose statfs(2) has not returned. */
  close?(): void;
}
