/**
 * npm run test:containers: builds the Dockerfiles as they stand, brings the compose file up on this machine's network, and
 * tests what runs. Without a registry: the images they start from are made of Debian's packages (base-images.sh). They are
 * kept in var/containers for the next time.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { prepare, root } from '../../deploy/scripts/prepare.mjs';
import { findProgram } from '../../deploy/scripts/programs.ts';
import { prepareMachineOrExit } from '../support/prepare-machine.mjs';
import { runJest } from '../support/run-jest.mjs';

const folder = join(root, 'var', 'containers');
const podman = join(root, 'tests', 'containers', 'podman');

function run(command, args, { quiet = false } = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: quiet ? 'pipe' : 'inherit',
    env: { ...process.env, ...env() },
  });
  return { ok: status === 0, output: `${stdout ?? ''}${stderr ?? ''}` };
}

/** Layers of an overlay cannot lie in one. */
function env() {
  const { stdout } = spawnSync('stat', ['-f', '-c', '%T', root], { encoding: 'utf8' });
  return { CONTAINERS_FOLDER: folder, CONTAINERS_DRIVER: stdout.trim() === 'overlayfs' ? 'vfs' : 'overlay' };
}

/** What npm in a build needs to reach the registry of this machine: mounted, and never part of an image. */
function writeNpmrc() {
  const setting = (name) => spawnSync('npm', ['config', 'get', name], { cwd: '/', encoding: 'utf8' }).stdout.trim();
  const cafile = setting('cafile');
  writeFileSync(
    join(folder, 'npmrc'),
    `registry=${setting('registry')}\n${existsSync(cafile) ? 'cafile=/etc/ssl/certs/ca-certificates.crt\n' : ''}`,
  );
  const userConfig = setting('userconfig');
  writeFileSync(join(folder, 'user-npmrc'), '', { mode: 0o600 });
  if (existsSync(userConfig)) copyFileSync(userConfig, join(folder, 'user-npmrc'));
  chmodSync(join(folder, 'user-npmrc'), 0o600);
}

/** Makes the images that the files name, unless they are there from the last time. */
async function makeBaseImages() {
  const image = /image: (victoriametrics\/\S+)/.exec(
    readFileSync(join(root, 'deploy', 'docker', 'docker-compose.yml'), 'utf8'),
  )[1];
  const names = [
    `docker.io/${image}`,
    'docker.io/library/node:24-bookworm-slim',
    'docker.io/library/debian:bookworm-slim',
  ];
  if (names.every((name) => run(podman, ['image', 'exists', name], { quiet: true }).ok)) return true;
  const work = join(folder, 'work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const { ok } = run('sh', [
    join(root, 'tests', 'containers', 'base-images.sh'),
    work,
    await findProgram('victoria-metrics'),
    names[0],
    podman,
  ]);
  rmSync(work, { recursive: true, force: true });
  return ok;
}

/** Ends what a run that was killed has left, and what podman has mounted. */
function cleanUp() {
  run(podman, ['rm', '--all', '--force', '--time', '0'], { quiet: true });
  run(podman, ['volume', 'prune', '--force'], { quiet: true });
  run('umount', [join(folder, 'storage', 'overlay')], { quiet: true });
  for (const name of readdirSync(folder)) if (name.endsWith('npmrc')) rmSync(join(folder, name));
}

function end(passed, failed, reason) {
  if (reason !== undefined) console.error(reason);
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

const machine = await prepareMachineOrExit('test:containers');
process.env.PATH = machine.PATH;
await prepare();
mkdirSync(folder, { recursive: true });
try {
  writeNpmrc();
  if (await makeBaseImages()) {
    const { passed, failed } = runJest(
      ['--config', 'tests/containers/jest.config.js', '--runInBand', ...process.argv.slice(2)],
      env(),
    );
    end(passed, failed);
  } else end(0, 1, 'the images to start from could not be made');
} finally {
  cleanUp();
}
