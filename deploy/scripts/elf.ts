/**
 * Reads what the dynamic linker and the kernel see of a file of machine code: 64-bit little-endian ELF.
 * Source: System V ABI, chapters 4 and 5; symbol versions: Linux Standard Base 5.0, section 10.7.
 */

const MAGIC = 0x464c457f;
const [CLASS_64, LITTLE_ENDIAN] = [2, 1];
const MACHINES: Readonly<Record<number, string>> = { 62: 'x64', 183: 'arm64' };
const PT_LOAD = 1;
const SHT_DYNAMIC = 6;
const SHT_GNU_VERNEED = 0x6ffffffe;
const DT_NEEDED = 1;
const TRUNCATED = 'truncated ELF file';

const readNumber = (bytes: Buffer, offset: number): number => Number(bytes.readBigUInt64LE(offset));

/** What the dynamic linker and the kernel see of a file of machine code. */
export interface Elf {
  /** As Node.js calls an arch; undefined for others. */
  readonly machine: string | undefined;
  /** Of the LOAD segments, bytes. */
  readonly loadAlignments: readonly number[];
  /** Names of shared libraries. */
  readonly needed: readonly string[];
  /** Of the symbols that it needs, such as GLIBC_2.28. */
  readonly versions: readonly SymbolVersion[];
}

interface SymbolVersion {
  readonly library: string;
  readonly version: string;
}

interface ElfSection {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  /** Index of the section with its strings. */
  readonly link: number;
  readonly info: number;
}

/**
 * Parses a file of machine code.
 *
 * @param bytes the whole file
 * @throws Error if it is no 64-bit little-endian ELF file, or not whole
 */
export function parseElf(bytes: Buffer): Elf {
  try {
    return parse(bytes);
  } catch (error) {
    // A header or an entry of a table lies beyond the end.
    if ((error as NodeJS.ErrnoException).code === 'ERR_OUT_OF_RANGE') throw new Error(TRUNCATED, { cause: error });
    throw error;
  }
}

function parse(bytes: Buffer): Elf {
  if (bytes.length < 64 || bytes.readUInt32LE(0) !== MAGIC || bytes[4] !== CLASS_64 || bytes[5] !== LITTLE_ENDIAN) {
    throw new Error('not a 64-bit little-endian ELF file');
  }
  const sections = readSections(bytes);
  return {
    machine: MACHINES[bytes.readUInt16LE(18)],
    loadAlignments: readLoadAlignments(bytes),
    needed: sections
      .filter(({ type }) => type === SHT_DYNAMIC)
      .flatMap((section) => readNeeded(bytes, section, sections)),
    versions: sections
      .filter(({ type }) => type === SHT_GNU_VERNEED)
      .flatMap((section) => readVersions(bytes, section, sections)),
  };
}

/** Returns whether bytes begin as an ELF file does. */
export function isElf(bytes: Buffer): boolean {
  return bytes.length > 4 && bytes.readUInt32LE(0) === MAGIC;
}

function readLoadAlignments(bytes: Buffer): number[] {
  const [offset, size, count] = [readNumber(bytes, 32), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  const headers = Array.from({ length: count }, (_, index) => offset + index * size);
  return headers.filter((at) => bytes.readUInt32LE(at) === PT_LOAD).map((at) => readNumber(bytes, at + 48));
}

function readSections(bytes: Buffer): ElfSection[] {
  const [offset, size, count] = [readNumber(bytes, 40), bytes.readUInt16LE(58), bytes.readUInt16LE(60)];
  if (offset + size * count > bytes.length) throw new Error(TRUNCATED);
  return Array.from({ length: count }, (_, index) => {
    const at = offset + index * size;
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: readNumber(bytes, at + 24),
      size: readNumber(bytes, at + 32),
      link: bytes.readUInt32LE(at + 40),
      info: bytes.readUInt32LE(at + 44),
    };
  });
}

function readText(bytes: Buffer, strings: ElfSection | undefined, at: number): string {
  if (strings === undefined) throw new Error(TRUNCATED);
  const from = strings.offset + at;
  const to = bytes.indexOf(0, from);
  if (to === -1) throw new Error(TRUNCATED);
  return bytes.toString('latin1', from, to);
}

function readNeeded(bytes: Buffer, { offset, size, link }: ElfSection, sections: readonly ElfSection[]): string[] {
  const entries = Array.from({ length: size / 16 }, (_, index) => offset + index * 16);
  return entries
    .filter((at) => readNumber(bytes, at) === DT_NEEDED)
    .map((at) => readText(bytes, sections[link], readNumber(bytes, at + 8)));
}

function readVersions(
  bytes: Buffer,
  { offset, info, link }: ElfSection,
  sections: readonly ElfSection[],
): SymbolVersion[] {
  const found: SymbolVersion[] = [];
  for (let need = 0, at = offset; need < info; need++, at += bytes.readUInt32LE(at + 12)) {
    const library = readText(bytes, sections[link], bytes.readUInt32LE(at + 4));
    for (
      let count = bytes.readUInt16LE(at + 2), aux = at + bytes.readUInt32LE(at + 8);
      count > 0;
      count--, aux += bytes.readUInt32LE(aux + 12)
    ) {
      found.push({ library, version: readText(bytes, sections[link], bytes.readUInt32LE(aux + 8)) });
    }
  }
  return found;
}
