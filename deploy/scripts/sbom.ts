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

/** A package in an SBOM. */
export interface SbomComponent {
  readonly name: string;
  readonly version: string;
  readonly 'bom-ref': string;
}

/** What is read of CycloneDX. */
export interface Sbom {
  readonly metadata?: { readonly component: { readonly name: string; readonly type: string } };
  readonly components: readonly SbomComponent[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** A package in the lockfile of npm. */
export interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly os?: string | readonly string[];
  readonly cpu?: string | readonly string[];
  readonly libc?: string | readonly string[];
}

export interface NpmLockfile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** What the packages and images are made for. */
const PLATFORM = { os: ['linux'], cpu: ['x64', 'arm64'], libc: ['glibc'] };

const toPackageName = (path: string): string => path.split('node_modules/').at(-1)!;

function isForPlatform({ os, cpu, libc }: LockedPackage): boolean {
  const includes = (given: string | readonly string[] | undefined, own: readonly string[]): boolean =>
    given === undefined || [given].flat().some((each) => own.includes(each));
  return includes(os, PLATFORM.os) && includes(cpu, PLATFORM.cpu) && includes(libc, PLATFORM.libc);
}

/** Returns what the root package itself depends on: it builds the programs, and is in none of them. */
function findBuildTools({ packages }: NpmLockfile): string[] {
  const direct = Object.keys(packages['']?.dependencies ?? {});
  return direct.flatMap((name) => [name, ...Object.keys(packages[`node_modules/${name}`]?.optionalDependencies ?? {})]);
}

/** Returns the SBOM without what the lockfile has for other platforms or for development and building alone. */
export function selectShipped(sbom: Sbom, lockfile: NpmLockfile): Sbom {
  const tools = findBuildTools(lockfile);
  const shipped = new Set(
    Object.entries(lockfile.packages)
      .filter(([path, entry]) => !entry.dev && isForPlatform(entry) && !tools.includes(toPackageName(path)))
      .map(([path, { version }]) => `${toPackageName(path)}@${version}`),
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
 * @param sources such as node_modules/got/dist/source/index.js
 */
export function findBundledPackages(sources: readonly string[]): string[] {
  const folders = sources.map(
    (source) => /(?:^|\/)(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1],
  );
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

/** Returns which of the folders the SBOM lacks in the version of the lockfile, as name@version. */
export function findMissing(sbom: Sbom, lockfile: NpmLockfile, folders: readonly string[]): string[] {
  const listed = new Set(sbom.components.map(({ name, version }) => `${name}@${version}`));
  return folders
    .map((folder) => `${toPackageName(folder)}@${lockfile.packages[folder]?.version}`)
    .filter((each) => !listed.has(each));
}

/**
 * Returns the SBOM of the programs.
 *
 * @throws Error when npm fails
 */
export function createSbom(root: string): Sbom {
  const npm = process.env['npm_execpath'];
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
  const readJson = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'));
  const sbom = selectShipped(JSON.parse(stdout) as Sbom, readJson('package-lock.json') as NpmLockfile);
  if (sbom.metadata === undefined) throw new Error('npm sbom failed: its output names no component');
  // npm puts the name of the folder there, which is that of a clone.
  const { name } = readJson('package.json') as { name: string };
  return { ...sbom, metadata: { ...sbom.metadata, component: { ...sbom.metadata.component, name } } };
}
