/** What a package has to depend on so that its machine code finds its libraries, whatever machine makes the package. */
import type { Elf } from './elf.ts';

/** A Debian package of a library. */
interface DebianLibrary {
  readonly soname: RegExp;
  readonly name: string;
  /** The prefixes of its symbols' versions, and the release of the package that has such a version. */
  readonly releases: readonly { readonly prefix: string; readonly release: (version: string) => string }[];
}

/**
 * The release of GCC whose libstdc++ has a version of symbols.
 * Source: libstdc++ manual, "ABI Policy and Guidelines", history of GLIBCXX and CXXABI versions.
 */
const RELEASES_BY_GLIBCXX = [
  '3.4.21 5',
  '3.4.22 6',
  '3.4.23 7',
  '3.4.24 7',
  '3.4.25 8',
  '3.4.26 9',
  '3.4.27 9',
  '3.4.28 9',
  '3.4.29 11',
  '3.4.30 12',
  '3.4.31 13',
  '3.4.32 13',
  '3.4.33 14',
];
const RELEASES_BY_CXXABI = ['1.3.9 5', '1.3.10 6', '1.3.11 7', '1.3.12 9', '1.3.13 11', '1.3.14 13', '1.3.15 14'];

const LIBRARIES: readonly DebianLibrary[] = [
  {
    soname: /^(libc|libm|libpthread|libdl|librt)\.so\.\d$|^ld-linux/,
    name: 'libc6',
    releases: [{ prefix: 'GLIBC_', release: (version) => version }],
  },
  {
    soname: /^libstdc\+\+\.so\.6$/,
    name: 'libstdc++6',
    releases: [
      { prefix: 'GLIBCXX_', release: (version) => findGccRelease(version, RELEASES_BY_GLIBCXX) },
      { prefix: 'CXXABI_', release: (version) => findGccRelease(version, RELEASES_BY_CXXABI) },
    ],
  },
  { soname: /^libgcc_s\.so\.1$/, name: 'libgcc-s1', releases: [] },
  { soname: /^libatomic\.so\.1$/, name: 'libatomic1', releases: [] },
];

/** Compares versions of numbers with dots between them; negative if the first is the lower one. */
export function compareVersions(one: string, other: string): number {
  const [left, right] = [one.split('.').map(Number), other.split('.').map(Number)];
  const length = Math.max(left.length, right.length);
  const difference = Array.from({ length }, (_, index) => (left[index] ?? 0) - (right[index] ?? 0)).find(
    (part) => part !== 0,
  );
  return difference ?? 0;
}

/**
 * Returns the release of GCC that a version of symbols came with; 5 for older ones, which every supported Debian has.
 *
 * @param table rows of a version and a release, oldest first
 * @throws Error if the version is newer than the table
 */
function findGccRelease(version: string, table: readonly string[]): string {
  const rows = table.map((row) => row.split(' ') as [symbols: string, release: string]);
  if (compareVersions(version, rows[0]![0]) < 0) return '5';
  const row = rows.find(([symbols]) => compareVersions(version, symbols) === 0);
  if (row === undefined)
    throw new Error(
      `no release of GCC is known for the symbols of libstdc++ ${version}: add it to deploy/scripts/debian-depends.ts`,
    );
  return row[1];
}

/**
 * Returns the value of Depends for some files of machine code, such as `libc6 (>= 2.28), libstdc++6 (>= 9)`.
 *
 * @throws Error if one needs a library that is not known here
 */
export function dependsOn(files: readonly Elf[]): string {
  const oldest = new Map<string, string | undefined>();
  for (const soname of files.flatMap(({ needed }) => needed)) {
    const library = LIBRARIES.find((known) => known.soname.test(soname));
    if (library === undefined)
      throw new Error(`${soname} is of no package that is known here: add it to deploy/scripts/debian-depends.ts`);
    oldest.set(library.name, oldest.get(library.name));
  }
  for (const { library: soname, version } of files.flatMap(({ versions }) => versions)) {
    const library = LIBRARIES.find((known) => known.soname.test(soname));
    // Not such as CXXABI_FLOAT128, which stands beside the numbered ones.
    const numbered = library?.releases.find(
      ({ prefix }) => version.startsWith(prefix) && /^[\d.]+$/.test(version.slice(prefix.length)),
    );
    if (library === undefined || numbered === undefined) continue;
    const release = numbered.release(version.slice(numbered.prefix.length));
    const known = oldest.get(library.name);
    if (known === undefined || compareVersions(release, known) > 0) oldest.set(library.name, release);
  }
  const texts = [...oldest].map(([name, release]) => (release === undefined ? name : `${name} (>= ${release})`));
  return texts.sort().join(', ');
}
