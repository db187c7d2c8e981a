/**
 * npm run package:deb: builds var/thugshells_VERSION_ARCHITECTURE.deb of this machine's architecture, with the Node.js
 * that runs this script in it. `--version V` gives it another version; `--quick` compresses little, for tests.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

import { isOfUse, modulesAtRunTime } from './packaged-modules.mjs';
import { prepare, root } from './prepare.mjs';

/** Debian's names for what Node.js calls arch. */
const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64', arm: 'armhf', riscv64: 'riscv64' };
const PROGRAMS = ['collector', 'uploader'];
const debian = join(root, 'deploy', 'debian');
const tree = join(root, 'var', 'package');
const home = join(tree, 'usr', 'lib', 'thugshells');

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** What a tool printed; ends this process where the tool is missing or fails. */
function output(command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (error?.code === 'ENOENT') fail(`${command} is missing; it comes with: apt-get install dpkg-dev binutils`);
  if (status !== 0) fail(`${command} ${args.join(' ')} failed: ${stderr || error?.message}`);
  return stdout;
}

/** Puts a file in the tree; its time is that of its content, for the program tells by it when it was built. */
function put(from, to, mode = 0o644) {
  const target = join(tree, to);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(from, target);
  const { atime, mtime } = statSync(from);
  utimesSync(target, atime, mtime);
  chmodSync(target, mode);
}

function putText(text, to, mode = 0o644) {
  const target = join(tree, to);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text, { mode });
}

/** One that is linked to Debian's libnode would bring nothing of its own. */
function putNode() {
  if (/libnode\.so/.test(output('ldd', [process.execPath]))) {
    fail(`${process.execPath} is only the shell of libnode; package with a Node.js that is one file, as those of nodejs.org are`);
  }
  put(process.execPath, 'usr/lib/thugshells/node', 0o755);
  const prefix = join(dirname(process.execPath), '..');
  const licence = [join(prefix, 'LICENSE'), join(prefix, 'share/doc/nodejs/LICENSE'), join(prefix, 'share/doc/node/LICENSE')].find((file) => existsSync(file));
  if (licence === undefined) fail(`the licence of Node.js is not beside ${process.execPath}; the package must have it`);
  put(licence, 'usr/share/doc/thugshells/LICENSE.node');
}

function copyFolder(folder, isWanted) {
  cpSync(join(root, folder), join(home, folder), {
    recursive: true,
    preserveTimestamps: true,
    filter: (source) => isWanted(relative(join(root, folder), source)),
  });
}

/** One driver of the database goes along: the one that the packaged Node.js loads. */
async function modulesOfThisNode() {
  const { DRIVERS, driverFor } = await import('../shared/src/database/driver.ts');
  const others = DRIVERS.filter((name) => name !== driverFor(process.versions.node)).map((name) => `node_modules/${name}`);
  return modulesAtRunTime(root, ['shared', ...PROGRAMS]).filter((module) => !others.includes(module));
}

async function putPrograms() {
  for (const folder of ['shared', ...PROGRAMS]) {
    copyFolder(`${folder}/dist`, (path) => !/\.(map|d\.ts|tsbuildinfo)$/.test(path));
    put(join(root, folder, 'package.json'), `usr/lib/thugshells/${folder}/package.json`);
    const link = join(home, 'node_modules', '@thugshells', folder);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(`../../${folder}`, link);
  }
  put(join(root, 'package.json'), 'usr/lib/thugshells/package.json');
  copyFolder('migrations', () => true);
  copyFolder('uploader/page', () => true);
  for (const module of await modulesOfThisNode()) {
    const isCompiled = existsSync(join(root, module, 'binding.gyp'));
    // What is nested in it and needed has an entry of its own.
    copyFolder(module, (path) => !path.startsWith('node_modules') && isOfUse(path, isCompiled));
  }
}

function putSystemFiles() {
  for (const file of readdirSync(join(root, 'deploy/systemd')).filter((name) => /\.(service|target)$/.test(name))) {
    put(join(root, 'deploy/systemd', file), `usr/lib/systemd/system/${file}`);
  }
  put(join(root, 'deploy/systemd/scrape.conf'), 'usr/share/doc/thugshells/examples/scrape.conf');
  put(join(root, 'deploy/systemd/thugshells.env'), 'etc/thugshells/thugshells.env', 0o640);
  mkdirSync(join(tree, 'etc/thugshells/remote'), { mode: 0o700 });
  put(join(debian, 'sysusers.conf'), 'usr/lib/sysusers.d/thugshells.conf');
  put(join(debian, 'tmpfiles.conf'), 'usr/lib/tmpfiles.d/thugshells.conf');
  for (const program of PROGRAMS) put(join(debian, 'command'), `usr/bin/thugshells-${program}`, 0o755);
}

function putDocuments(version, maintainer) {
  put(join(debian, 'copyright'), 'usr/share/doc/thugshells/copyright');
  const documents = ['README.md', ...readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => join('docs', name))];
  for (const file of documents) put(join(root, file), join('usr/share/doc/thugshells', file));
  const date = output('date', ['-R', '-r', join(root, 'package.json')]).trim();
  const entry = `thugshells (${version}) stable; urgency=medium\n\n  * What has changed is told in the project's CHANGELOG.md.\n\n -- ${maintainer}  ${date}\n`;
  putText(gzipSync(entry, { level: 9 }), 'usr/share/doc/thugshells/changelog.gz');
}

/** Files that everybody may read and only their owner may write, whatever the clone's modes and umask are. */
function settleModes(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) settleModes(path);
    else if (!entry.isSymbolicLink()) chmodSync(path, entry.name.endsWith('.node') ? 0o644 : statSync(path).mode & 0o755);
    if (entry.isDirectory() && path !== join(tree, 'etc/thugshells/remote')) chmodSync(path, 0o755);
  }
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** Takes the symbols out of all that is compiled. */
function stripped() {
  const compiled = filesBelow(home).filter((file) => file.endsWith('.node') || file === join(home, 'node'));
  for (const file of compiled) output('strip', ['--strip-unneeded', '--preserve-dates', file]);
  return compiled;
}

/** The libraries that the compiled files need, as packages. */
function dependencies(compiled) {
  const sources = join(root, 'var', 'shlibdeps');
  mkdirSync(join(sources, 'debian'), { recursive: true });
  writeFileSync(join(sources, 'debian', 'control'), 'Source: thugshells\n\nPackage: thugshells\nArchitecture: any\n');
  const line = output('dpkg-shlibdeps', ['-O', '--ignore-missing-info', ...compiled], { cwd: sources });
  rmSync(sources, { recursive: true });
  return line.trim().replace(/^shlibs:Depends=/, '');
}

function putControl(version, architecture, maintainer) {
  const needed = dependencies(stripped());
  const installedKiB = Math.ceil(filesBelow(tree).reduce((total, file) => total + statSync(file).size, 0) / 1024);
  const values = { VERSION: version, ARCHITECTURE: architecture, MAINTAINER: maintainer, INSTALLED_SIZE: installedKiB, DEPENDS: needed };
  const sums = output('sh', ['-c', 'find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum'], { cwd: tree });
  const control = readFileSync(join(debian, 'control'), 'utf8').replace(/@(\w+)@/g, (_, name) => String(values[name]));
  putText(control, 'DEBIAN/control');
  putText('/etc/thugshells/thugshells.env\n', 'DEBIAN/conffiles');
  putText(sums, 'DEBIAN/md5sums');
  for (const script of ['postinst', 'prerm', 'postrm']) put(join(debian, script), `DEBIAN/${script}`, 0o755);
}

async function main() {
  const { values } = parseArgs({ options: { version: { type: 'string' }, quick: { type: 'boolean' } } });
  const architecture = ARCHITECTURES[process.arch] ?? fail(`no package is made for ${process.arch}`);
  await prepare();
  const version = values.version ?? JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
  const { DEBFULLNAME = 'Thugshells maintainers', DEBEMAIL = 'maintainers@thugshells.invalid' } = process.env;
  const maintainer = `${DEBFULLNAME} <${DEBEMAIL}>`;
  rmSync(tree, { recursive: true, force: true });
  putNode();
  await putPrograms();
  putSystemFiles();
  putDocuments(version, maintainer);
  put(join(debian, 'lintian-overrides'), 'usr/share/lintian/overrides/thugshells');
  settleModes(tree);
  putControl(version, architecture, maintainer);
  const file = join(root, 'var', `thugshells_${version}_${architecture}.deb`);
  console.error('Compressing …');
  output('dpkg-deb', ['--root-owner-group', ...(values.quick ? ['-Zgzip', '-z1'] : []), '--build', tree, file]);
  rmSync(tree, { recursive: true });
  console.log(relative(process.cwd(), file));
}

await main();
