/**
 * npm run release: makes the files of a release, which .github/workflows/release.yml publishes. Progress is on standard
 * error, the list of files on standard output.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { bundledPackages } from './bundle.mjs';
import { formatChecksums } from './checksums.ts';
import { root, runtimePackage } from './runtime.mjs';
import { extractNotes, findVersionProblems, parseTag } from './release-notes.ts';
import { createSbom, findMissing } from './sbom.ts';

const HELP = `Usage: npm run release -- --tag vX.Y.Z [--out DIR]

Makes the files of a release: the Debian packages for amd64 and arm64, the SBOM
(CycloneDX), SHA256SUMS over all of them, and notes.md, the section of CHANGELOG.md.
Begins when the tag, every package.json, package-lock.json and CHANGELOG.md agree.

  --tag vX.Y.Z  the tag of the release
  --out DIR     folder for the files, new or empty (default: var/release, which is replaced)
  --help        prints this text
`;

const ARCHITECTURES = ['amd64', 'arm64'];
const DEFAULT_FOLDER = join(root, 'var', 'release');

/** A problem that is reported in a line or two, without a stack. */
class ReleaseError extends Error {}

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: { tag: { type: 'string' }, out: { type: 'string' }, help: { type: 'boolean' } },
    });
    if (values.help || values.tag !== undefined) return values;
    throw new Error('--tag is missing');
  } catch (error) {
    console.error(`${error.message}\n\n${HELP}`);
    return process.exit(2);
  }
}

const step = (text) => console.error(text);
const readText = (file) => readFileSync(join(root, file), 'utf8');
const readJson = (file) => JSON.parse(readText(file));

/** Returns the version of the tag when everything agrees with it. */
function checkVersion(tag) {
  const version = parseTag(tag);
  if (version === undefined)
    throw new ReleaseError(
      `cannot release ${tag}: a tag has the form vX.Y.Z; tag the commit anew, such as: git tag v1.2.3`,
    );
  const files = ['package.json', ...readJson('package.json').workspaces.map((folder) => `${folder}/package.json`)];
  const manifests = files.map((file) => ({ file, manifest: readJson(file) }));
  const problems = findVersionProblems(version, {
    manifests,
    lockfile: readJson('package-lock.json'),
    changelog: readText('CHANGELOG.md'),
  });
  if (problems.length > 0)
    throw new ReleaseError(problems.map((problem) => `cannot release ${tag}: ${problem}`).join('\n'));
  return version;
}

/** Returns the folder for the files; one that was named must be new or empty, since nothing there is removed. */
function chooseFolder(out) {
  const folder = out === undefined ? DEFAULT_FOLDER : resolve(out);
  if (out !== undefined && existsSync(folder) && readdirSync(folder).length > 0) {
    throw new ReleaseError(`cannot write to ${out}: it is not empty; empty it, or name another folder by --out`);
  }
  return folder;
}

/** Builds the package of an architecture and returns its file. */
function buildPackage(version, architecture) {
  const args = [join(root, 'deploy', 'scripts', 'package-deb.mjs'), '--arch', architecture, '--version', version];
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const again = `npm run package:deb -- --arch ${architecture} --version ${version}`;
  if (status !== 0)
    throw new ReleaseError(
      `cannot build the package for ${architecture}: deploy/scripts/package-deb.mjs failed; see the lines above; to repeat it alone, run: ${again}`,
    );
  const file = resolve(root, stdout.trim().split('\n').at(-1));
  const fields = spawnSync('dpkg-deb', ['--show', '--showformat=${Package} ${Version} ${Architecture}', file], {
    encoding: 'utf8',
  });
  const wanted = `thugshells ${version} ${architecture}`;
  if (fields.stdout !== wanted)
    throw new ReleaseError(
      `cannot use ${file}: it should be ${wanted}, and dpkg-deb reports ${fields.stdout || (fields.error?.message ?? fields.stderr)}; run: ${again}`,
    );
  return file;
}

function createSbomOrFail() {
  try {
    return createSbom(root);
  } catch (error) {
    throw new ReleaseError(`cannot make the SBOM: ${error.message}; npm 10 or later has this command (npm --version)`);
  }
}

/** Returns the folders of the npm packages that a Debian package holds as such, beside those in the bundles. */
function packagedModules(file) {
  const { stdout } = spawnSync('dpkg-deb', ['--contents', file], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  return [...stdout.matchAll(/(node_modules\/(?:@[^/\s]+\/)?[^/\s]+)\/package\.json$/gm)].map(([, folder]) => folder);
}

/** Writes the SBOM; everything that the Debian packages hold must be in it. */
function writeSbom(file, packages) {
  const sbom = createSbomOrFail();
  const runtimes = ['x64', 'arm64'].map((arch) => `node_modules/${runtimePackage(arch)}`);
  const held = new Set([...bundledPackages(), ...packages.flatMap(packagedModules), ...runtimes]);
  const missing = findMissing(sbom, readJson('package-lock.json'), [...held]);
  if (missing.length > 0)
    throw new ReleaseError(
      `cannot write the SBOM: it lacks ${missing.join(', ')}, which the packages hold; add each to the dependencies of its program, or to NOT_USED in deploy/scripts/bundle.mjs`,
    );
  writeFileSync(file, `${JSON.stringify(sbom, null, 2)}\n`);
}

/** Writes all files into a folder and returns their names. */
function writeFiles(version, folder) {
  const names = [];
  for (const architecture of ARCHITECTURES) {
    step(`building the package for ${architecture}`);
    const built = buildPackage(version, architecture);
    copyFileSync(built, join(folder, basename(built)));
    names.push(basename(built));
  }
  step('writing the SBOM');
  const sbom = `thugshells_${version}.cdx.json`;
  writeSbom(
    join(folder, sbom),
    names.map((name) => join(folder, name)),
  );
  names.push(sbom);
  step('writing SHA256SUMS');
  writeFileSync(join(folder, 'SHA256SUMS'), formatChecksums(folder, names));
  step('writing the notes');
  writeFileSync(join(folder, 'notes.md'), extractNotes(readText('CHANGELOG.md'), version));
  return [...names, 'SHA256SUMS', 'notes.md'];
}

function makeRelease({ tag, out }) {
  step(`checking that everything agrees with ${tag}`);
  const version = checkVersion(tag);
  const folder = chooseFolder(out);
  // The folder has all files or none: what fails halfway can be tried again.
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const names = writeFiles(version, partial);
  if (out === undefined) rmSync(folder, { recursive: true, force: true });
  renameSync(partial, folder);
  for (const name of names) console.log(relative(process.cwd(), join(folder, name)));
}

const options = parseOptions();
try {
  if (options.help) console.log(HELP.trimEnd());
  else makeRelease(options);
} catch (error) {
  if (!(error instanceof ReleaseError)) throw error;
  console.error(error.message);
  process.exit(1);
}
