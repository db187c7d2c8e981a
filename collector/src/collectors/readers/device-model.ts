import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { parseAttribute } from '../parsing/kernel-text.ts';
import { requirePrintable } from '../parsing/printable-text.ts';

/** Ends with a NUL, as strings of device trees do. */
const DEVICE_TREE = 'firmware/devicetree/base/model';
const DMI = 'class/dmi/id';
/** By vendor and name: those of the product before those of its mainboard, all that a self-made machine has. */
const DMI_NAMES = [
  ['sys_vendor', 'product_name'],
  ['board_vendor', 'board_name'],
] as const;
/** What vendors of mainboards leave in the fields that nobody filled in. */
const PLACEHOLDER =
  /^(to be filled by o\.e\.m\.?|o\.e\.m\.?|default( string)?|system (manufacturer|product name|name)|not (applicable|specified|available)|none|unknown|n\/a|all series|\.|x+|0+)$/i;

/**
 * Reads the model of the device: that of the device tree, else vendor and product of DMI. Returns undefined if the device has
 * neither, as most containers and simple virtual machines.
 *
 * @throws AgentError KERNEL_FILE_UNREADABLE, KERNEL_FILE_MALFORMED
 */
export async function readModel(kernel: KernelSource): Promise<string | undefined> {
  const tree = await readOptional(kernel.sys(DEVICE_TREE), undefined);
  if (tree !== undefined) return parseModel(`/sys/${DEVICE_TREE}`, tree.replace(/\0$/, ''));
  for (const [vendorFile, nameFile] of DMI_NAMES) {
    const name = await readDmi(kernel, nameFile);
    if (name === undefined) continue;
    const vendor = await readDmi(kernel, vendorFile);
    return vendor === undefined || name.startsWith(vendor) ? name : `${vendor} ${name}`;
  }
  return undefined;
}

async function readDmi(kernel: KernelSource, name: string): Promise<string | undefined> {
  const text = await readOptional(kernel.sys(`${DMI}/${name}`), undefined);
  // A field that the firmware does not have is empty.
  if (text === undefined || text.trim() === '') return undefined;
  const value = parseModel(`/sys/${DMI}/${name}`, text);
  return PLACEHOLDER.test(value) ? undefined : value;
}

function parseModel(path: string, text: string): string {
  return requirePrintable(parseAttribute(path, text));
}
