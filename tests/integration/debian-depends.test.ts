import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { compareVersions, dependsOn } from '../../deploy/scripts/debian-depends.ts';
import { parseElf, type Elf } from '../../deploy/scripts/elf.ts';
import { useTemporaryFolder } from '../support/temporary-folder.ts';

const folder = useTemporaryFolder();
const nodeModules = dirname(dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json')));
const { arch } = process;
/** All machine code of the package. */
const NATIVE_FILES = [
  process.execPath,
  join(nodeModules, `better-sqlite3/prebuilds/linux-${arch}.node`),
  join(nodeModules, `@koromix/koffi-linux-${arch}/linux_${arch}/koffi.node`),
];

/** A value of Depends as package names with their minimum versions; 0 for none. */
function parseDepends(text: string): Map<string, string> {
  return new Map(
    text
      .split(', ')
      .map((part) => /^(\S+)(?: \(>= (\S+)\))?$/.exec(part)!)
      .map(([, name, version]) => [name!, version ?? '0']),
  );
}

/** What Debian's own tool says, which knows the libraries that are installed here. */
function shlibdeps(files: readonly string[]): Map<string, string> {
  const sources = folder.path('sources');
  mkdirSync(join(sources, 'debian'), { recursive: true });
  writeFileSync(join(sources, 'debian/control'), 'Source: one\n\nPackage: one\nArchitecture: any\n');
  const { status, stdout, stderr, error } = spawnSync('dpkg-shlibdeps', ['-O', '--ignore-missing-info', ...files], {
    cwd: sources,
    encoding: 'utf8',
  });
  if (status !== 0) throw error ?? new Error(stderr);
  return parseDepends(stdout.trim().replace(/^shlibs:Depends=/, ''));
}

/** A file that needs a library, and versions of its symbols. */
function needing(library: string, ...versions: readonly string[]): Elf {
  return {
    machine: 'x64',
    loadAlignments: [],
    needed: [library],
    versions: versions.map((version) => ({ library, version })),
  };
}

describe('dependsOn', () => {
  test('names the packages that dpkg-shlibdeps names for the machine code of the package, in no lower versions', () => {
    const own = parseDepends(dependsOn(NATIVE_FILES.map((file) => parseElf(readFileSync(file)))));
    const debian = shlibdeps(NATIVE_FILES);
    expect([...own.keys()].sort()).toEqual([...debian.keys()].sort());
    // Debian counts libgcc-s1 from GCC 3; the package of that name is of GCC 10 and later.
    const names = [...debian.keys()].filter((name) => name !== 'libgcc-s1');
    expect(compareVersions(debian.get('libgcc-s1') ?? '0', '10')).toBeLessThan(0);
    const lower = names.filter((name) => compareVersions(own.get(name)!, debian.get(name)!) < 0);
    expect(lower.map((name) => `${name} ${own.get(name)}, in place of ${debian.get(name)}`)).toEqual([]);
  });

  test('takes the highest version that any file needs, by number and not by text', () => {
    expect(dependsOn([needing('libc.so.6', 'GLIBC_2.9', 'GLIBC_2.34'), needing('libm.so.6', 'GLIBC_2.4')])).toBe(
      'libc6 (>= 2.34)',
    );
  });

  test('reads the release of GCC from versions of GLIBCXX and CXXABI, and takes the newer', () => {
    expect(dependsOn([needing('libstdc++.so.6', 'GLIBCXX_3.4.29', 'CXXABI_1.3.9', 'CXXABI_FLOAT128')])).toBe(
      'libstdc++6 (>= 11)',
    );
    expect(dependsOn([needing('libstdc++.so.6', 'GLIBCXX_3.4.9', 'CXXABI_1.3.14')])).toBe('libstdc++6 (>= 13)');
  });

  test('names a library without a version if no symbol of it needs one', () => {
    expect(dependsOn([needing('libgcc_s.so.1', 'GCC_3.0'), needing('libatomic.so.1')])).toBe('libatomic1, libgcc-s1');
  });

  test('refuses a library, and a version of libstdc++, that it does not know', () => {
    expect(() => dependsOn([needing('libssl.so.3')])).toThrow(
      'libssl.so.3 is of no package that is known here: add it to deploy/scripts/debian-depends.ts',
    );
    expect(() => dependsOn([needing('libstdc++.so.6', 'GLIBCXX_3.4.99')])).toThrow('libstdc++ 3.4.99');
  });
});
