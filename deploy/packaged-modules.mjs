import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/**
 * What packages name as dependencies and need only while they are installed or compiled, or what is declarations for
 * TypeScript alone.
 */
const NOT_AT_RUN_TIME = /^(prebuild-install|nan|node-addon-api|type-fest|@types\/.*)$/;

/** What is in packages and is of no use to node: sources of C++, intermediate files, declarations, maps, tests, commands, hidden files. */
const LEFT_OUT = /(^|\/)(bin|obj|obj\.target|\.deps|test|tests|examples?|docs?|bench|benchmark|benchmarks|\.github)(\/|$)|\.(md|markdown|map|d\.[mc]?ts|[mc]?ts|a|gyp|tgz)$|test_extension\.node$|config\.gypi$|Makefile$|\.mk$|(^|\/)\.\w+[^/]*$/i;
/** Sources of what has been compiled; elsewhere src may be what runs. */
const SOURCES = /^(deps|src)(\/|$)/;
/** Machine code for every machine that a package supports. */
const PREBUILT = /^prebuilds\//;
/** Not of use either, and not to be left out. */
const KEPT = /(^|\/)(licen[cs]e|copying|notice)[^/]*$/i;

/**
 * Folders under node_modules that the given packages need at run time, nested ones too.
 *
 * @param {string} root the folder of node_modules
 * @param {readonly string[]} packages folders of packages below root, such as `collector`
 * @returns {string[]} sorted, such as `node_modules/got`
 */
export function modulesAtRunTime(root, packages) {
  const found = new Set();
  const visit = (folder) => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (NOT_AT_RUN_TIME.test(name) || name.startsWith('@thugshells/')) continue;
      const module = moduleOf(root, folder, name);
      if (module === undefined && name in optionalDependencies) continue;
      if (module === undefined) throw new Error(`${folder} needs ${name}, which is not installed; npm ci installs it`);
      if (found.has(module)) continue;
      found.add(module);
      visit(module);
    }
  };
  packages.forEach(visit);
  return [...found].sort();
}

/** Where node would find a package from `folder`: in its own node_modules, or in those of the folders around it. */
function moduleOf(root, folder, name) {
  const parts = folder.split('/');
  for (let depth = parts.length; depth >= 0; depth--) {
    const candidate = join(...parts.slice(0, depth), 'node_modules', name);
    if (existsSync(join(root, candidate, 'package.json'))) return candidate;
  }
  return undefined;
}

/**
 * Whether a file or folder of a package goes along.
 *
 * @param {string} path below the package's folder
 * @param {boolean} isCompiled whether the package has a part that was compiled when it was installed
 */
export function isOfUse(path, isCompiled) {
  if (PREBUILT.test(path)) return path === `prebuilds/${process.platform}-${process.arch}.node`;
  return KEPT.test(path) || !(LEFT_OUT.test(path) || (isCompiled && SOURCES.test(path)));
}
