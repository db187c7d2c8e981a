/**
 * npm run package:deb: builds var/thugshells_VERSION_ARCHITECTURE.deb, for this machine's architecture or another one,
 * with the Node.js that the lockfile pins.
 *
 *   npm run package:deb -- [--arch amd64|arm64] [--version V] [--quick]
 *
 * Longer than 250 lines: it lists every file of the package and its control data in one place.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

import { createCompletions } from './completions.ts';
import { dependsOn } from './debian-depends.ts';
import { parseElf } from './elf.ts';
import { createManualPage, MANUAL_SECTION } from './manual-page.ts';
import { ARCHITECTURES, putProgramTree } from './program-tree.mjs';
import { root } from './runtime.mjs';

/** The prefix of the tools for machine code of another architecture. */
const TRIPLETS = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
const PROGRAMS = ['collector', 'uploader'];
/** The plan's own list of what it asked for is of no use on a device. */
const NOT_PACKAGED = ['tests/acceptance.md'];
const debian = join(root, 'deploy', 'debian');
const documents = 'usr/share/doc/thugshells';

const help = `usage: npm run package:deb -- [--arch amd64|arm64] [--version V] [--quick]

Builds var/thugshells_VERSION_ARCHITECTURE.deb.
  --arch A     the architecture of the devices; this machine's by default
  --version V  the package's version; package.json's by default
  --quick      compresses little, for tests`;

/** A problem that is reported in one line, without a stack. */
class PackagingError extends Error {}

function output(command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (error?.code === 'ENOENT')
    throw new PackagingError(
      `${command} is missing; run: apt-get install dpkg-dev binutils binutils-aarch64-linux-gnu`,
    );
  if (status !== 0) throw new PackagingError(`${command} ${args.join(' ')} failed: ${stderr || error?.message}`);
  return stdout;
}

/** The tree of one package, in a folder of its own. */
class PackageTree {
  constructor(architecture) {
    this.folder = join(root, 'var', `package-${architecture}`);
    this.home = join(this.folder, 'usr', 'lib', 'thugshells');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Puts a file; its time is that of its content. */
  put(from, to, mode = 0o644) {
    const target = this.#place(to);
    copyFileSync(join(root, from), target);
    const { atime, mtime } = statSync(join(root, from));
    utimesSync(target, atime, mtime);
    chmodSync(target, mode);
  }

  putText(text, to, mode = 0o644) {
    writeFileSync(this.#place(to), text, { mode });
  }

  putFolder(from, to) {
    cpSync(join(root, from), join(this.folder, to), { recursive: true, preserveTimestamps: true });
  }

  #place(to) {
    const target = join(this.folder, to);
    mkdirSync(dirname(target), { recursive: true });
    return target;
  }
}

function putSystemFiles(tree) {
  for (const file of readdirSync(join(root, 'deploy/systemd')).filter((name) => /\.(service|target)$/.test(name))) {
    tree.put(`deploy/systemd/${file}`, `usr/lib/systemd/system/${file}`);
  }
  for (const dropIn of ['processes.conf', 'scrape.conf'])
    tree.put(`deploy/systemd/${dropIn}`, `${documents}/examples/${dropIn}`);
  tree.put('deploy/systemd/thugshells.env', 'etc/thugshells/thugshells.env', 0o640);
  mkdirSync(join(tree.folder, 'etc/thugshells/remote'), { mode: 0o700 });
  tree.put('deploy/debian/sysusers.conf', 'usr/lib/sysusers.d/thugshells.conf');
  tree.put('deploy/debian/tmpfiles.conf', 'usr/lib/tmpfiles.d/thugshells.conf');
  for (const program of PROGRAMS) tree.put('deploy/debian/command', `usr/bin/thugshells-${program}`, 0o755);
  tree.put('deploy/debian/lintian-overrides', 'usr/share/lintian/overrides/thugshells');
}

/** The texts, and what they name, beside each other as in the repository, so that their links lead somewhere. */
function putDocuments(tree, version, maintainer) {
  tree.put('deploy/debian/copyright', `${documents}/copyright`);
  const texts = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'].filter((file) =>
    readdirSync(root).includes(file),
  );
  const more = readdirSync(join(root, 'docs'))
    .map((name) => `docs/${name}`)
    .filter((file) => !NOT_PACKAGED.includes(file));
  for (const file of [...texts, ...more]) tree.put(file, `${documents}/${file}`);
  for (const folder of ['deploy/grafana', 'deploy/alerts', 'deploy/ansible', 'deploy/docker'])
    tree.putFolder(folder, `${documents}/${folder}`);
  for (const name of ['LICENSE.node', 'LICENSE.bundled']) {
    cpSync(join(tree.home, name), join(tree.folder, documents, name));
    rmSync(join(tree.home, name));
  }
  const date = output('date', ['-R', '-r', join(root, 'package.json')]).trim();
  const entry = `thugshells (${version}) stable; urgency=medium\n\n  * See CHANGELOG.md beside this file for the changes.\n\n -- ${maintainer}  ${date}\n`;
  tree.putText(gzipSync(entry, { level: 9 }), `${documents}/changelog.gz`);
}

/** Manual pages and completions, made of the tables of commands and variables. */
async function putManuals(tree, version) {
  const { COLLECTOR_TABLE } = await import('../../collector/src/commands/command-table.ts');
  const { UPLOADER_TABLE } = await import('../../uploader/src/commands/command-table.ts');
  const { collectorVariables } = await import('../../shared/src/config/collector-config.ts');
  const { uploaderVariables } = await import('../../shared/src/config/uploader-config.ts');
  const programs = [
    { table: COLLECTOR_TABLE, variables: Object.values(collectorVariables({}, '', 'linux')) },
    { table: UPLOADER_TABLE, variables: Object.values(uploaderVariables({}, '')) },
  ];
  const date = statSync(join(root, 'package.json')).mtime.toISOString().slice(0, 10);
  for (const { table, variables } of programs) {
    const page = createManualPage({ table, variables, version, date });
    const path = `usr/share/man/man${MANUAL_SECTION}/${table.program}.${MANUAL_SECTION}.gz`;
    tree.putText(gzipSync(page, { level: 9 }), path);
    for (const { path, text } of createCompletions(table)) tree.putText(text, path);
  }
}

/** Makes files readable by everybody and writable by their owner alone, whatever the clone's modes and umask are. */
function settleModes(tree, folder = tree.folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) settleModes(tree, path);
    else chmodSync(path, entry.name.endsWith('.node') ? 0o644 : statSync(path).mode & 0o755);
    if (entry.isDirectory() && path !== join(tree.folder, 'etc/thugshells/remote')) chmodSync(path, 0o755);
  }
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Takes the symbols out of all machine code, and returns what remains of each. */
function strip(tree, architecture) {
  const arch = ARCHITECTURES[architecture];
  const compiled = filesBelow(tree.home).filter((file) => file.endsWith('.node') || file === join(tree.home, 'node'));
  const tool = arch === process.arch ? 'strip' : `${TRIPLETS[architecture]}-strip`;
  for (const file of compiled) output(tool, ['--strip-unneeded', '--preserve-dates', file]);
  return compiled.map((file) => {
    const elf = parseElf(readFileSync(file));
    if (elf.machine !== arch)
      throw new PackagingError(`${relative(tree.folder, file)} is of ${elf.machine}, not of ${arch}`);
    return elf;
  });
}

function putControl(tree, { version, architecture, maintainer }) {
  const depends = dependsOn(strip(tree, architecture));
  const installedKiB = Math.ceil(
    filesBelow(tree.folder).reduce((total, file) => total + statSync(file).size, 0) / 1024,
  );
  const values = {
    VERSION: version,
    ARCHITECTURE: architecture,
    MAINTAINER: maintainer,
    INSTALLED_SIZE: installedKiB,
    DEPENDS: depends,
  };
  const sums = output('sh', ['-c', 'find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum'], {
    cwd: tree.folder,
  });
  const control = readFileSync(join(debian, 'control'), 'utf8').replace(/@(\w+)@/g, (_, name) => String(values[name]));
  tree.putText(control, 'DEBIAN/control');
  tree.putText('/etc/thugshells/thugshells.env\n', 'DEBIAN/conffiles');
  tree.putText(sums, 'DEBIAN/md5sums');
  for (const script of ['postinst', 'prerm', 'postrm']) tree.put(`deploy/debian/${script}`, `DEBIAN/${script}`, 0o755);
}

/**
 * Builds the package.
 *
 * @returns {Promise<string>} its path
 */
async function buildPackage({ architecture, version, isQuick }) {
  const { DEBFULLNAME = 'Thugshells maintainers', DEBEMAIL = 'maintainers@thugshells.invalid' } = process.env;
  const maintainer = `${DEBFULLNAME} <${DEBEMAIL}>`;
  const tree = new PackageTree(architecture);
  await putProgramTree(ARCHITECTURES[architecture], tree.home);
  putSystemFiles(tree);
  putDocuments(tree, version, maintainer);
  await putManuals(tree, version);
  settleModes(tree);
  putControl(tree, { version, architecture, maintainer });
  const file = join(root, 'var', `thugshells_${version}_${architecture}.deb`);
  console.error(`compressing ${relative(root, file)} …`);
  output('dpkg-deb', ['--root-owner-group', ...(isQuick ? ['-Zgzip', '-z1'] : []), '--build', tree.folder, file]);
  rmSync(tree.folder, { recursive: true });
  return file;
}

function readArguments() {
  const own = Object.keys(ARCHITECTURES).find((name) => ARCHITECTURES[name] === process.arch);
  try {
    const { values } = parseArgs({
      options: {
        arch: { type: 'string', default: own },
        version: { type: 'string' },
        quick: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (!values.help && !Object.hasOwn(ARCHITECTURES, values.arch ?? '')) {
      throw new Error(
        `no package is made for ${values.arch ?? process.arch}: Node.js 24 is built for ${Object.keys(ARCHITECTURES).join(' and ')}`,
      );
    }
    return values;
  } catch (error) {
    console.error(`${error.message}\n\n${help}`);
    return process.exit(2);
  }
}

async function main() {
  const values = readArguments();
  if (values.help) return console.log(help);
  const version = values.version ?? JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
  try {
    const file = await buildPackage({ architecture: values.arch, version, isQuick: values.quick });
    return console.log(relative(process.cwd(), file));
  } catch (error) {
    if (!(error instanceof PackagingError)) throw error;
    console.error(error.message);
    return process.exit(1);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
