import { readFileSync } from 'node:fs';

/**
 * The kernel's id of this boot, the same for all processes of it (random(4)); undefined where the kernel has none.
 * Not under PROC_ROOT: it says which boot Clock.sinceBoot() counts from.
 */
export function readBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Without it, rows whose time is not known keep waiting for it; nothing else depends on it.
    return undefined;
  }
}
