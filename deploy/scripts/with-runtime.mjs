/**
 * What every npm script begins with: installs what is missing, then runs a script of this project on the pinned
 * Node.js, whatever Node.js from 20 on runs this one.
 *
 *   node deploy/scripts/with-runtime.mjs [--omit=dev] SCRIPT [ARGUMENT …]
 */
import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

import { install, pinnedVersion, root, runtime, SetupError } from './runtime.mjs';

const OLDEST_TO_BEGIN = 20;

function prepared(omitDev) {
  try {
    if (Number.parseInt(process.versions.node, 10) < OLDEST_TO_BEGIN) {
      throw new SetupError(
        `cannot begin: Node.js ${OLDEST_TO_BEGIN} or later is needed, and this is ${process.versions.node}; install Node.js ${pinnedVersion()} from nodejs.org`,
      );
    }
    install({ omitDev });
    return runtime();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    return process.exit(1);
  }
}

/** Runs the script on another Node.js, and ends as it ends. */
function runOn(node, args) {
  const env = { ...process.env, PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter) };
  const child = spawn(node, args, { stdio: 'inherit', env });
  // What ends this process is for the script to end by; a terminal's Ctrl-C has reached it already, and asking twice is harmless.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('exit', (code, signal) => process.exit(signal === null ? code : 1));
}

const omitDev = process.argv[2] === '--omit=dev';
const [script, ...args] = process.argv.slice(omitDev ? 3 : 2);
const file = join(root, script);
const node = prepared(omitDev);
if (node === process.execPath) {
  process.argv = [node, file, ...args];
  await import(pathToFileURL(file).href);
} else {
  console.error(`running on ${node}; this is Node.js ${process.versions.node}`);
  runOn(node, [file, ...args]);
}
