import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { isElf, parseElf } from '../../deploy/scripts/elf.ts';

const nodeModules = dirname(dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json')));
/** Of both architectures: npm's package of the driver brings it for each. */
const FILES = [
  { name: 'Node.js', path: process.execPath },
  { name: 'better-sqlite3 for x64', path: join(nodeModules, 'better-sqlite3/prebuilds/linux-x64.node') },
  { name: 'better-sqlite3 for arm64', path: join(nodeModules, 'better-sqlite3/prebuilds/linux-arm64.node') },
  { name: 'better-sqlite3 for musl', path: join(nodeModules, 'better-sqlite3/prebuilds/linuxmusl-x64.node') },
  { name: 'koffi', path: join(nodeModules, `@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`) },
];
const MACHINES: Readonly<Record<string, string>> = { 'Advanced Micro Devices X86-64': 'x64', AArch64: 'arm64' };

function readelf(...args: readonly string[]): string {
  const { status, stdout, error } = spawnSync('readelf', args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (status !== 0) throw error ?? new Error(`readelf ${args.join(' ')} ended with ${status}`);
  return stdout;
}

/** What a pattern with one group finds in each place of a text. */
function findAll(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found]) => found!);
}

/** The symbol versions that a file needs, as `LIBRARY VERSION`. */
function readNeededVersions(path: string): string[] {
  const [, section = ''] = readelf('-VW', path).split(/^Version needs section.*$/m);
  const needs = section.split(/^.*File: (\S+).*$/m).slice(1);
  return needs.flatMap((library, index) =>
    index % 2 === 0 ? findAll(needs[index + 1]!, /Name: (\S+)/g).map((version) => `${library} ${version}`) : [],
  );
}

describe('parseElf and readelf agree', () => {
  test.each(FILES)('on the machine and the alignment of the LOAD segments of $name', ({ path }) => {
    const { machine, loadAlignments } = parseElf(readFileSync(path));
    expect(machine).toBe(MACHINES[findAll(readelf('-hW', path), /^ *Machine: +(.+)$/gm)[0]!]);
    expect(loadAlignments.length).toBeGreaterThan(1);
    expect(loadAlignments).toEqual(findAll(readelf('-lW', path), /^ *LOAD .* (0x[0-9a-f]+)$/gm).map(Number));
  });

  test.each(FILES)('on the libraries that $name needs', ({ path }) => {
    const { needed } = parseElf(readFileSync(path));
    expect(needed.length).toBeGreaterThan(0);
    expect(needed).toEqual(findAll(readelf('-dW', path), /\(NEEDED\).*\[(.+)\]/g));
  });

  test.each(FILES)('on the versions of symbols that $name needs', ({ path }) => {
    const { versions } = parseElf(readFileSync(path));
    expect(versions.map(({ library, version }) => `${library} ${version}`)).toEqual(readNeededVersions(path));
  });

  test('on files that need versions of symbols, so that the comparison says something', () => {
    expect(FILES.filter(({ path }) => readNeededVersions(path).length > 3).length).toBeGreaterThanOrEqual(4);
  });
});

describe('parseElf refuses', () => {
  const whole = readFileSync(FILES[1]!.path);

  test('a text file', () => {
    const text = readFileSync(import.meta.filename);
    expect(isElf(text)).toBe(false);
    expect(() => parseElf(text)).toThrow('not a 64-bit little-endian ELF file');
  });

  test('an empty file, and the first bytes of an ELF file', () => {
    expect(isElf(Buffer.alloc(0))).toBe(false);
    for (const length of [0, 4, 63])
      expect(() => parseElf(whole.subarray(0, length))).toThrow('not a 64-bit little-endian ELF file');
  });

  test.each([
    ['32-bit', 4, 1],
    ['big-endian', 5, 2],
  ])('a %s ELF file', (_, offset, value) => {
    const other = Buffer.from(whole);
    other[offset] = value;
    expect(isElf(other)).toBe(true);
    expect(() => parseElf(other)).toThrow('not a 64-bit little-endian ELF file');
  });

  test.each([64, 100, 1_000, 100_000, whole.length - 1])('an ELF file that was truncated after %i bytes', (length) => {
    expect(() => parseElf(whole.subarray(0, length))).toThrow('truncated ELF file');
  });

  test('an ELF file whose segments, by its header, would lie beyond its end', () => {
    const other = Buffer.from(whole);
    other.writeBigUInt64LE(BigInt(whole.length), 32);
    expect(() => parseElf(other)).toThrow('truncated ELF file');
  });
});
