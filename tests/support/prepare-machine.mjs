/**
 * Brings onto this machine what a suite of tests runs besides Node.js: as root on Debian by apt-get, else what can be
 * used from an unpacked package. What is still missing ends the suite before its first test, with the command that
 * gets it: nothing passes by being skipped.
 */
import { spawnSync } from 'node:child_process';
import process from 'node:process';

import { SetupError } from '../../deploy/scripts/runtime.mjs';
import { unpackDebianPackage } from '../../deploy/scripts/debian-package.ts';
import { missingRequirements, searchPath, SUITES } from './suite-packages.ts';

const names = (requirements) => requirements.map((requirement) => requirement.package).join(' ');
const missingCommands = (requirements) =>
  requirements.flatMap(({ commands }) => commands.map((command) => command.split('|')[0])).join(', ');

const isRoot = () => process.getuid?.() === 0;
const hasDebianPackages = () => ['apt-get', 'dpkg'].every((command) => spawnSync(command, ['--version']).status === 0);

function aptGet(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    encoding: 'utf8',
    env,
    maxBuffer: 2 ** 26,
  });
}

/** Installs Debian packages; with fresh lists if they are not in those that are here, or no longer to be had. */
function installDebianPackages(missing) {
  console.log(`installing Debian packages: ${names(missing)}`);
  const install = () =>
    aptGet('install', '--no-install-recommends', ...missing.map((requirement) => requirement.package));
  if (install().status === 0) return;
  aptGet('update');
  const { status, stdout, stderr } = install();
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  throw new SetupError(
    `cannot install Debian packages: apt-get failed (exit code ${status}); check the network and /etc/apt/sources.list.d, then run: apt-get update && apt-get install ${names(missing)}`,
  );
}

/** Unpacks the packages that can be used so; those that cannot are left missing. */
async function unpackDebianPackages(missing) {
  for (const { package: name, proof } of missing) {
    if (proof === undefined) continue;
    console.log(`unpacking the Debian package ${name} into var/tools`);
    await unpackDebianPackage(name, { proof }).catch((error) =>
      console.error(`cannot unpack ${name}: ${error.message.split('\n')[0]}`),
    );
  }
}

/** A container and a mount of a test's own need what even root may lack. */
function requireNamespaces(suite) {
  const { status, stderr, error } = spawnSync('unshare', ['--mount', '--pid', '--net', '--fork', 'true'], {
    encoding: 'utf8',
  });
  if (status === 0) return;
  const cause = error?.message ?? stderr.trim();
  throw new SetupError(
    `cannot run ${suite}: root may not make namespaces here (${cause}); run it on the machine itself, or in a privileged container`,
  );
}

/**
 * Installs what a suite needs, and names what it installs.
 *
 * @returns {Promise<{ PATH: string }>} the environment to run its tests with
 * @throws SetupError with the command that gets what is missing
 */
export async function prepareMachine(suite) {
  const { needsRoot } = SUITES[suite];
  if (needsRoot && !isRoot()) throw new SetupError(`cannot run ${suite}: it needs root; run: sudo npm run ${suite}`);
  const missing = missingRequirements(suite);
  if (missing.length > 0) {
    if (!hasDebianPackages()) {
      throw new SetupError(
        `cannot run ${suite}: ${missingCommands(missing)} not found; install what Debian packages as ${names(missing)}`,
      );
    }
    if (isRoot()) installDebianPackages(missing);
    else await unpackDebianPackages(missing);
    const left = missingRequirements(suite);
    if (left.length > 0)
      throw new SetupError(
        `cannot run ${suite}: ${missingCommands(left)} not found; run: sudo apt-get install ${names(left)}`,
      );
  }
  if (needsRoot) requireNamespaces(suite);
  return { PATH: searchPath(suite) };
}

/** The same for a script: what is missing is one line and the counts of a suite that failed, and ends the process. */
export async function prepareMachineOrExit(suite) {
  try {
    return await prepareMachine(suite);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.log(`failed: ${error.message}\n\n0 passed, 1 failed`);
    return process.exit(1);
  }
}
