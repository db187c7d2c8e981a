import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { compareByNumber } from '../parsing/kernel-text.ts';

/** What a directory of a device below /sys/devices adds to its bus path. */
type Step =
  /** The number of a bus or a host, which the kernel counts up as it finds them: another one at the next boot. */
  | { readonly kind: 'counted'; readonly prefix: string }
  /** An address on the bus of the directories above. */
  | { readonly kind: 'address'; readonly text: string }
  /** A name that no other device has: a PCI function, a platform device, a node of ACPI. */
  | { readonly kind: 'unique'; readonly text: string }
  /** A directory of a class, or a part that the other steps have already. */
  | { readonly kind: 'none' };

/** Nodes of SCSI transports, which repeat the host's number. */
const scsiNode = /^(target|port|expander|end_device|phy|rport|session)-?[0-9]+:/;
/** An instance of a HID device; its USB interface has the address. */
const hidInstance = /^[0-9A-F]{4}:[0-9A-F]{4}:[0-9A-F]{4}\.[0-9A-F]{4}$/;
/** Names that have the number of their bus, or one that the kernel counts up, beside what they are below their parent. */
const addresses = [
  /^[0-9]+:([0-9]+:[0-9]+:[0-9]+)$/, // SCSI: host, then channel, target and LUN.
  /^[0-9]+-([0-9a-f]{4})$/, // I2C
  /^[0-9]+-([0-9]+(?:\.[0-9]+)*(?::[0-9]+\.[0-9]+)?)$/, // USB: ports, then configuration and interface.
  /^spi[0-9]+\.([0-9]+)$/, // SPI: chip select.
  /^(.+)\.[0-9]+\.auto$/, // A function of another device (PLATFORM_DEVID_AUTO).
];
const counted = /^([a-z][a-z0-9_]*?-?)[0-9]+$/;
/** A 1-Wire sensor's serial number. */
const oneWire = /^[0-9a-f]{2}-[0-9a-f]{12}$/;

function toStep(name: string, next: string | undefined): Step {
  if (scsiNode.test(name) || hidInstance.test(name)) return { kind: 'none' };
  // A USB device has the ports of the hub above it in its own name.
  if (next?.startsWith(`${name}.`) === true || next?.startsWith(`${name}:`) === true) return { kind: 'none' };
  for (const expression of addresses) {
    const text = expression.exec(name)?.[1];
    if (text !== undefined) return { kind: 'address', text };
  }
  const prefix = counted.exec(name)?.[1];
  if (prefix !== undefined) return { kind: 'counted', prefix };
  if (/[:.@]/.test(name) || oneWire.test(name)) return { kind: 'unique', text: name };
  return next === undefined ? { kind: 'address', text: name } : { kind: 'none' };
}

/**
 * Returns where a device is attached, in a text that is the same at every boot: `0000:03:00.0` of an NVMe drive,
 * `0000:00:17.0 ata2 0:0:0` of a SATA disk, `fe804000.i2c 0048` of a chip on an I2C bus. `path` is the device's, below
 * /sys. A number that the kernel counts up is replaced by the device's place among its siblings, which all have one
 * parent, and left out if there is only one; it stays if they cannot be listed. Empty if the path has nothing that stays,
 * as of a virtual device.
 */
export async function findBusPath(kernel: KernelSource, path: string): Promise<string> {
  const names = path.split('/');
  if (names[0] !== 'devices' || names[1] === 'virtual') return '';
  let steps: string[] = [];
  for (const [index, name] of names.entries()) {
    if (index === 0) continue;
    const step = toStep(name, names[index + 1]);
    if (step.kind === 'unique') steps = [step.text];
    else if (step.kind === 'address') steps.push(step.text);
    else if (step.kind === 'counted') {
      const siblings = await listSiblings(kernel, names.slice(0, index).join('/'), step.prefix);
      const place = siblings.indexOf(name) + 1;
      if (place === 0) steps.push(name);
      else if (siblings.length > 1) steps.push(`${step.prefix}${place}`);
    }
  }
  return steps.join(' ');
}

async function listSiblings(kernel: KernelSource, parent: string, prefix: string): Promise<string[]> {
  const entries = await readOptional(kernel.sysEntries(parent), []);
  return entries.filter((entry) => counted.exec(entry)?.[1] === prefix).sort(compareByNumber);
}
