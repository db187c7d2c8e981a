import { readFileSync } from 'node:fs';

/**
 * Returns the bytes that this process has caused to be sent to the storage layer (write_bytes in proc_pid_io(5)); undefined
 * if they are not counted.
 */
export function readWrittenBytes(): number | undefined {
  try {
    const found = /^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'));
    return found === null ? undefined : Number(found[1]);
  } catch {
    // Not Linux, or a kernel without task accounting.
    return undefined;
  }
}
