/**
 * The software bill of materials of a release: CycloneDX by `npm sbom`, read from the lockfile, since the tree of one
 * machine lacks the other architecture's runtime and native parts. What no package or image can hold is left out here: parts
 * for other systems, processors and C libraries, and what is for development. (npm 11.19's --omit=dev also leaves out
 * what both the programs and a tool need, such as keyv.)
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** What the packages and images are made for. */
const PLATFORM = { os: ['linux'], cpu: ['x64', 'arm64'], libc: ['glibc'] };

const nameOf = (path) => path.split('node_modules/').at(-1);

function fits({ os, cpu, libc }) {
  const isOf = (given, own) => given === undefined || [given].flat().some((each) => own.includes(each));
  return isOf(os, PLATFORM.os) && isOf(cpu, PLATFORM.cpu) && isOf(libc, PLATFORM.libc);
}

/** Returns what the root package itself depends on: it builds the programs, and is in none of them. */
function findBuildTools({ packages }) {
  const direct = Object.keys(packages['']?.dependencies ?? {});
  return direct.flatMap((name) => [name, ...Object.keys(packages[`node_modules/${name}`]?.optionalDependencies ?? {})]);
}

/** Returns the SBOM without what the lockfile has for other platforms or for development and building alone. */
export function selectShipped(sbom, lockfile) {
  const tools = findBuildTools(lockfile);
  const shipped = new Set(
    Object.entries(lockfile.packages)
      .filter(([path, entry]) => !entry.dev && fits(entry) && !tools.includes(nameOf(path)))
      .map(([path, { version }]) => `${nameOf(path)}@${version}`),
  );
  const components = sbom.components.filter(({ name, version }) => shipped.has(`${name}@${version}`));
  const removed = new Set(
    sbom.components.filter((component) => !components.includes(component)).map((component) => component['bom-ref']),
  );
  const dependencies = sbom.dependencies
    .filter(({ ref }) => !removed.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => !removed.has(each)) }));
  return { ...sbom, components, dependencies };
}

/**
 * Returns the folders of the packages that some source files are of, such as `node_modules/got`.
 *
 * @param {readonly string[]} sources such as node_modules/got/dist/source/index.js
 */
export function findBundledPackages(sources) {
  const folders = sources.map(
    (source) => /(?:^|\/)(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1],
  );
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

/** Returns which of the folders the SBOM lacks in the version of the lockfile, as name@version. */
export function findMissing(sbom, lockfile, folders) {
  const listed = new Set(sbom.components.map(({ name, version }) => `${name}@${version}`));
  return folders
    .map((folder) => `${nameOf(folder)}@${lockfile.packages[folder]?.version}`)
    .filter((each) => !listed.has(each));
}

/**
 * Returns the SBOM of the programs.
 *
 * @throws Error when npm fails
 */
export function createSbom(root) {
  const npm = process.env.npm_execpath;
  const [command, first] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  const args = [
    ...first,
    'sbom',
    '--sbom-format=cyclonedx',
    '--sbom-type=application',
    '--include=dev',
    '--include=optional',
    '--package-lock-only',
  ];
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`npm sbom failed: ${error?.message ?? stderr.trim()}`);
  const readJson = (file) => JSON.parse(readFileSync(join(root, file), 'utf8'));
  const sbom = selectShipped(JSON.parse(stdout), readJson('package-lock.json'));
  // npm puts the name of the folder there, which is that of a clone.
  sbom.metadata.component.name = readJson('package.json').name;
  return sbom;
}
