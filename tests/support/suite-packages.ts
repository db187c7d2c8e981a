/**
 * What each suite of tests runs besides Node.js, and the Debian packages that have it: the one list that `npm test`,
 * `npm run test:arm64`, `npm run test:systemd` and `npm run test:containers` install from.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { repositoryToolsDir } from '../../deploy/scripts/debian-package.ts';
import { PROGRAMS, type ProgramName } from '../../deploy/scripts/programs.ts';

/** A Debian package with commands that tests run. */
export interface Requirement {
  readonly package: string;
  /** What the tests run of it; `a|b` if one of the two is enough. */
  readonly commands: readonly string[];
  /** Names a file to use in place of the package. */
  readonly variable?: string;
  /** The package can be used unpacked: arguments with which its first command ends at once. */
  readonly proof?: readonly string[];
}

/** What a suite of tests needs. */
export interface Suite {
  readonly needsRoot: boolean;
  readonly requirements: readonly Requirement[];
}

/** Where to search; by default this process's environment and the repository's var/tools. */
interface CommandSearch {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly toolsDir?: string;
}

/** A Debian package with programs that programs.ts finds: tests of its generation need it, whatever npm run peers built. */
function packageOf(name: ProgramName): Requirement {
  const programs = Object.values(PROGRAMS).filter((program) => program.package === PROGRAMS[name].package);
  const { package: debianPackage, variable, versionFlag } = PROGRAMS[name];
  return {
    package: debianPackage,
    commands: programs.map(({ names }) => names.join('|')),
    variable,
    proof: [versionFlag],
  };
}

const VICTORIA_METRICS = packageOf('victoria-metrics');
const MANDOC = { package: 'mandoc', commands: ['mandoc'], proof: ['-T', 'ascii', '/dev/null'] };
const MOUNT = { package: 'mount', commands: ['mount', 'umount'] };

export const SUITES = {
  test: {
    needsRoot: false,
    requirements: [
      VICTORIA_METRICS,
      MOUNT,
      packageOf('prometheus'),
      { package: 'prometheus-alertmanager', commands: ['prometheus-alertmanager', 'amtool'], proof: ['--version'] },
      packageOf('node_exporter'),
      { package: 'binutils', commands: ['readelf'] },
      { package: 'bsdutils', commands: ['script'] },
      { package: 'dpkg-dev', commands: ['dpkg-shlibdeps'] },
      { package: 'chromium', commands: ['chromium|chromium-browser|google-chrome'], variable: 'CHROMIUM_BIN' },
      { package: 'iproute2', commands: ['ip'] },
      MANDOC,
      { package: 'openssl', commands: ['openssl'] },
      { package: 'procps', commands: ['free'] },
      { package: 'systemd', commands: ['systemd-analyze'] },
      { package: 'util-linux', commands: ['setpriv', 'unshare'] },
    ],
  },
  'test:arm64': {
    needsRoot: true,
    requirements: [
      VICTORIA_METRICS,
      { package: 'busybox-static', commands: ['busybox'] },
      { package: 'mmdebstrap', commands: ['mmdebstrap'] },
      { package: 'systemd-container', commands: ['systemd-nspawn'] },
      { package: 'util-linux', commands: ['nsenter'] },
      ...(process.arch === 'arm64'
        ? [{ package: 'binutils', commands: ['strip'] }]
        : [
            { package: 'binutils-aarch64-linux-gnu', commands: ['aarch64-linux-gnu-strip'] },
            { package: 'qemu-user-static', commands: ['qemu-aarch64-static'] },
          ]),
    ],
  },
  'test:systemd': {
    needsRoot: true,
    requirements: [
      { ...MOUNT, commands: [...MOUNT.commands, 'losetup'] },
      { package: 'binutils', commands: ['strip'] },
      process.arch === 'arm64'
        ? { package: 'binutils-x86-64-linux-gnu', commands: ['x86_64-linux-gnu-strip'] }
        : { package: 'binutils-aarch64-linux-gnu', commands: ['aarch64-linux-gnu-strip'] },
      { package: 'git', commands: ['git'] },
      { package: 'curl', commands: ['curl'] },
      { package: 'debootstrap', commands: ['debootstrap'] },
      { package: 'iproute2', commands: ['ip'] },
      { package: 'fish', commands: ['fish'] },
      { package: 'lintian', commands: ['lintian'] },
      MANDOC,
      { package: 'systemd-container', commands: ['systemd-nspawn'] },
      { package: 'util-linux', commands: ['nsenter', 'unshare'] },
      { package: 'zsh', commands: ['zsh'] },
    ],
  },
  'test:containers': {
    needsRoot: true,
    requirements: [
      VICTORIA_METRICS,
      MOUNT,
      { package: 'mmdebstrap', commands: ['mmdebstrap'] },
      { package: 'podman', commands: ['podman'] },
      { package: 'podman-compose', commands: ['podman-compose'] },
      { package: 'runc', commands: ['runc'] },
      { package: 'util-linux', commands: ['unshare'] },
    ],
  },
} satisfies Readonly<Record<string, Suite>>;

export type SuiteName = keyof typeof SUITES;

/** Folders of root's, which are not on the PATH of other users, though they may run what is in them. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Returns the PATH that the suite's tests are run with: this process's, root's folders, and packages that were unpacked. */
export function searchPath(
  suite: SuiteName,
  { env = process.env, toolsDir = repositoryToolsDir }: CommandSearch = {},
): string {
  const { requirements }: Suite = SUITES[suite];
  const unpackable = requirements.filter(({ proof }) => proof !== undefined);
  const unpacked = unpackable.map((requirement) => join(toolsDir, requirement.package, 'usr', 'bin'));
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...new Set([...folders, ...SYSTEM_FOLDERS, ...unpacked])].join(delimiter);
}

function isCommand(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Finds what a suite needs and this machine lacks, with those of the commands that are missing. */
export function missingRequirements(suite: SuiteName, search: CommandSearch = {}): Requirement[] {
  const { env = process.env } = search;
  const folders = searchPath(suite, search).split(delimiter);
  const isThere = (command: string): boolean =>
    command.split('|').some((name) => folders.some((folder) => isCommand(join(folder, name))));
  const { requirements }: Suite = SUITES[suite];
  return requirements
    .filter(({ variable }) => variable === undefined || !env[variable])
    .map((requirement) => ({ ...requirement, commands: requirement.commands.filter((command) => !isThere(command)) }))
    .filter(({ commands }) => commands.length > 0);
}
