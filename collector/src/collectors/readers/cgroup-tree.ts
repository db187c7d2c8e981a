import { AgentError } from '@thugshells/shared/errors.ts';

import { createMalformedError, readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';

/** Where control groups are mounted, below /sys. */
export const CGROUPS = 'fs/cgroup';
/** A device has some tens of slices. */
const MAX_DIRECTORIES = 2000;

/** Version 2 is one tree for all controllers; version 1 has one for each, and one of systemd's own. */
export type CgroupVersion = 1 | 2;

/**
 * Returns which version of control groups systemd uses, also where it uses version 2 for nothing but its own tree.
 *
 * @throws AgentError KERNEL_FILE_ABSENT if the kernel has none
 */
export async function findCgroupVersion(kernel: KernelSource): Promise<CgroupVersion> {
  return (await kernel.sysEntries(CGROUPS)).includes('cgroup.controllers') ? 2 : 1;
}

/** Returns the root of the tree that systemd keeps its units in. */
export function getUnitRoot(version: CgroupVersion): string {
  return version === 2 ? CGROUPS : `${CGROUPS}/systemd`;
}

/**
 * Finds the groups of units among those of systemd: slices have slices and other units in them. Returns paths below the root
 * by unit; one that does not run has none.
 *
 * @throws AgentError KERNEL_FILE_UNREADABLE if systemd has no slice there, as in a container of its own
 */
export async function findUnits(
  kernel: KernelSource,
  root: string,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const slices = [''];
  for (const slice of slices) {
    if (slices.length > MAX_DIRECTORIES)
      throw createMalformedError(`/sys/${root}`, `more than ${MAX_DIRECTORIES} slices`);
    const entries = await readOptional(kernel.sysEntries(`${root}${slice}`), []);
    for (const entry of entries) {
      const unit = unescapeName(entry);
      if (wanted.has(unit) && !found.has(unit)) found.set(unit, `${slice}/${entry}`);
      if (entry.endsWith('.slice')) slices.push(`${slice}/${entry}`);
    }
  }
  if (slices.length > 1) return found;
  throw new AgentError(`cannot find units below /sys/${root}: systemd has no slice there`, {
    code: 'KERNEL_FILE_UNREADABLE',
    hint: 'unset THUGSHELLS_SERVICES, or let the collector see the control groups of the host: THUGSHELLS_SYS_ROOT in a container',
  });
}

/** systemd puts `_` before the name of a unit that would be a file of the kernel's (systemd.io/CONTROL_GROUP_INTERFACE). */
function unescapeName(entry: string): string {
  return entry.startsWith('_') ? entry.slice(1) : entry;
}
