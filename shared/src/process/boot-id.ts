import { readFileSync } from 'node:fs';

/**
 * Reads the kernel's id of this boot, the same for all processes (random(4)); undefined if the kernel has none. Not
 * below PROC_ROOT: it identifies the boot that Clock.sinceBoot() counts from.
 */
export function readBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Without it, rows without a corrected time stay pending; nothing else depends on it.
    return undefined;
  }
}
