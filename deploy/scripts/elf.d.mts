/** What the dynamic linker and the kernel see of a file of machine code. */
export interface Elf {
  /** As Node.js calls an arch; undefined for others. */
  readonly machine: string | undefined;
  /** Of the LOAD segments, bytes. */
  readonly loadAlignments: readonly number[];
  readonly needed: readonly string[];
  readonly versions: readonly { readonly library: string; readonly version: string }[];
}

/** Parses a whole file; throws if it is no 64-bit little-endian ELF file. */
export function parseElf(bytes: Buffer): Elf;
export function isElf(bytes: Buffer): boolean;
