import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { parseAttribute } from '../parsing/kernel-text.ts';
import { requirePrintable } from '../parsing/printable-text.ts';

/** A link into the time zone database (localtime(5)), whose copies `posix` and `right` have the same names. */
const LOCALTIME = 'etc/localtime';
/** Debian has the name in the first; OpenWrt and other systems without that database have a POSIX rule in the second. */
const TEXTS = ['etc/timezone', 'etc/TZ'] as const;

/**
 * Reads the time zone: its name, such as `Europe/Berlin`, or its POSIX rule, such as `CET-1CEST,M3.5.0,M10.5.0/3`. Returns
 * undefined if the device has none of the files: it may then be that of a program's environment.
 *
 * @throws AgentError KERNEL_FILE_UNREADABLE, KERNEL_FILE_MALFORMED
 */
export async function readTimeZone(kernel: KernelSource): Promise<string | undefined> {
  const target = await readOptional(kernel.host.link(LOCALTIME), undefined);
  const name = target === undefined ? undefined : /\/zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec(target)?.[1];
  if (name !== undefined) return requirePrintable({ path: `/${LOCALTIME}`, number: 1, text: name });
  for (const file of TEXTS) {
    const text = await readOptional(kernel.host.text(file), undefined);
    if (text !== undefined) return requirePrintable(parseAttribute(`/${file}`, text));
  }
  return undefined;
}
