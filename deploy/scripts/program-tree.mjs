/**
 * Puts together the files of an installed Thugshells, for either architecture: the runtime, the bundled programs, the
 * native packages, the migrations. The Debian package and the image contain them.
 *
 *   node deploy/scripts/with-runtime.mjs deploy/scripts/program-tree.mjs [--arch amd64|arm64] FOLDER
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { bundledPackages } from './bundle.mjs';
import { packageFolder } from './npm-packages.ts';
import { prepare } from './prepare.mjs';
import { root, runtimePackage } from './runtime.mjs';

/** What Debian and Docker call an architecture, and what Node.js calls it. */
export const ARCHITECTURES = { amd64: 'x64', arm64: 'arm64' };

const LICENSE_FILE = /^(licen[cs]e|copying|notice)/i;

/** The files of a native package that the programs load: JavaScript; not the sources and headers of its machine code. */
const IS_LOADED = /(^|\/)(package\.json|[^/]*\.c?js)$/;
const IS_NOT_LOADED = /^(node_modules|vendor|deps|doc|lib\/native)\/|(cnoke|trampolines)\.cjs$/;

/** The native packages, and the machine code of each that belongs to an architecture. */
const NATIVE_PARTS = [
  { name: 'better-sqlite3', machineCode: (arch) => [`prebuilds/linux-${arch}.node`] },
  { name: 'koffi', machineCode: () => [] },
  { name: (arch) => `@koromix/koffi-linux-${arch}`, machineCode: (arch) => [`linux_${arch}/koffi.node`] },
];

function put(from, to, mode = 0o644) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, mode);
}

function putRuntime(arch, folder) {
  const from = packageFolder(runtimePackage(arch));
  put(join(from, 'bin', 'node'), join(folder, 'node'), 0o755);
  put(join(from, 'LICENSE'), join(folder, 'LICENSE.node'));
}

/** Keeps the times of files: the programs read from them when they were built. */
function putPrograms(folder) {
  for (const program of ['collector', 'uploader']) {
    cpSync(join(root, program, 'dist'), join(folder, program, 'dist'), { recursive: true, preserveTimestamps: true });
  }
  cpSync(join(root, 'migrations'), join(folder, 'migrations'), { recursive: true, preserveTimestamps: true });
  const { name, version, type, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ name, version, type, license }, null, 2)}\n`);
}

function putNativeParts(arch, folder) {
  for (const { name: given, machineCode } of NATIVE_PARTS) {
    const name = typeof given === 'string' ? given : given(arch);
    const from = packageFolder(name);
    const files = readdirSync(from, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(from, join(entry.parentPath, entry.name)));
    const wanted = files.filter(
      (file) => (IS_LOADED.test(file) && !IS_NOT_LOADED.test(file)) || LICENSE_FILE.test(file),
    );
    for (const file of [...wanted, ...machineCode(arch)])
      put(join(from, file), join(folder, 'node_modules', name, file));
  }
}

/** The licences of what is bundled, one text after the other. */
function bundledLicenses() {
  return bundledPackages().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, folder)).find((entry) => LICENSE_FILE.test(entry));
    const text = file === undefined ? `License: ${license}` : readFileSync(join(root, folder, file), 'utf8').trim();
    return `${name} ${version}\n${'-'.repeat(name.length + version.length + 1)}\n\n${text}\n`;
  });
}

/**
 * Puts a runnable tree into a folder; downloads what is of another architecture than this machine's.
 *
 * @param {string} arch `x64` or `arm64`
 * @param {string} folder empty or missing
 */
export async function putProgramTree(arch, folder) {
  await prepare();
  mkdirSync(folder, { recursive: true });
  putRuntime(arch, folder);
  putPrograms(folder);
  putNativeParts(arch, folder);
  writeFileSync(join(folder, 'LICENSE.bundled'), bundledLicenses().join('\n\n'));
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { arch: { type: 'string' } } });
    const [folder, ...more] = positionals;
    if (folder === undefined || more.length > 0) throw new Error('exactly one FOLDER is required');
    const arch = values.arch === undefined ? process.arch : ARCHITECTURES[values.arch];
    if (!Object.values(ARCHITECTURES).includes(arch))
      throw new Error(
        `cannot build for ${values.arch ?? process.arch}; supported: ${Object.keys(ARCHITECTURES).join(' and ')}`,
      );
    if (existsSync(folder) && statSync(folder).isDirectory() && readdirSync(folder).length > 0)
      throw new Error(`${folder} is not empty`);
    return { arch, folder };
  } catch (error) {
    console.error(`${error.message}\nusage: ${basename(process.argv[1])} [--arch amd64|arm64] FOLDER`);
    return process.exit(2);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { arch, folder } = readArguments();
  await putProgramTree(arch, folder);
}
