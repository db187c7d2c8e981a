/** What a package has to depend on so that its machine code finds its libraries, whatever machine makes the package. */

/**
 * The release of GCC whose libstdc++ has a version of symbols.
 * Source: libstdc++ manual, "ABI Policy and Guidelines", history of GLIBCXX and CXXABI versions.
 */
const GCC_OF_GLIBCXX = [
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
const GCC_OF_CXXABI = ['1.3.9 5', '1.3.10 6', '1.3.11 7', '1.3.12 9', '1.3.13 11', '1.3.14 13', '1.3.15 14'];

/** Debian's packages of libraries: what their symbols' versions are called, and which release of the package has them. */
const LIBRARIES = [
  {
    soname: /^(libc|libm|libpthread|libdl|librt)\.so\.\d$|^ld-linux/,
    name: 'libc6',
    releases: [{ prefix: 'GLIBC_', release: (version) => version }],
  },
  {
    soname: /^libstdc\+\+\.so\.6$/,
    name: 'libstdc++6',
    releases: [
      { prefix: 'GLIBCXX_', release: (version) => releaseOf(version, GCC_OF_GLIBCXX) },
      { prefix: 'CXXABI_', release: (version) => releaseOf(version, GCC_OF_CXXABI) },
    ],
  },
  { soname: /^libgcc_s\.so\.1$/, name: 'libgcc-s1', releases: [] },
  { soname: /^libatomic\.so\.1$/, name: 'libatomic1', releases: [] },
];

/** Compares versions of numbers with dots between them. */
export function compareVersions(one, other) {
  const [left, right] = [one, other].map((version) => version.split('.').map(Number));
  const length = Math.max(left.length, right.length);
  const difference = Array.from({ length }, (_, index) => (left[index] ?? 0) - (right[index] ?? 0)).find(
    (part) => part !== 0,
  );
  return difference ?? 0;
}

function releaseOf(version, table) {
  const rows = table.map((row) => row.split(' '));
  if (compareVersions(version, rows[0][0]) < 0) return '5';
  const row = rows.find(([symbols]) => compareVersions(version, symbols) === 0);
  if (row === undefined)
    throw new Error(
      `no release of GCC is known for the symbols of libstdc++ ${version}: add it to deploy/scripts/debian-depends.ts`,
    );
  return row[1];
}

/**
 * The value of Depends for some files of machine code.
 *
 * @param {readonly import('./elf.ts').Elf[]} files
 * @returns {string} such as `libc6 (>= 2.28), libstdc++6 (>= 9)`
 * @throws Error if one needs a library that is not known here
 */
export function dependsOn(files) {
  const oldest = new Map();
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
    if (numbered === undefined) continue;
    const release = numbered.release(version.slice(numbered.prefix.length));
    const known = oldest.get(library.name);
    if (known === undefined || compareVersions(release, known) > 0) oldest.set(library.name, release);
  }
  const texts = [...oldest].map(([name, release]) => (release === undefined ? name : `${name} (>= ${release})`));
  return texts.sort().join(', ');
}
