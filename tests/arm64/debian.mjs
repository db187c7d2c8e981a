/**
 * A Debian for arm64 that boots on this machine: its packages unpacked, and an init that gives it a binfmt_misc of its
 * own (mounted in its user namespace, Linux 6.7 and later), so that its programs run in qemu-aarch64-static and nothing
 * of it is registered on this machine. The packages are not configured: their scripts would take ten minutes emulated.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { root } from '../../deploy/scripts/prepare.mjs';
import { debianMirror, debianRelease } from '../systemd/debian-tree.mjs';

const PACKAGES = [
  ...[
    'systemd',
    'systemd-sysv',
    'dbus',
    'base-files',
    'base-passwd',
    'dash',
    'bash',
    'coreutils',
    'util-linux',
    'mount',
    'libc-bin',
    'sed',
    'grep',
    'mawk',
  ],
  ...[
    'findutils',
    'tar',
    'gzip',
    'diffutils',
    'perl-base',
    'dpkg',
    'login',
    'passwd',
    'libstdc++6',
    'libgcc-s1',
    'procps',
    'init-system-helpers',
    'hostname',
    'debianutils',
  ],
];
const EMULATOR = '/usr/bin/qemu-aarch64-static';
/** A shell that needs no emulator. */
const SHELL = '/bin/busybox';

/** The header of an arm64 ELF file, and which of its bits count: Linux, Documentation/admin-guide/binfmt-misc.rst. */
const MAGIC = String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`;
const MASK = String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;

const REGISTER = `/emulator/busybox mount -t binfmt_misc binfmt_misc /emulator/binfmt || exit 90
printf '%s' ':aarch64:M::${MAGIC}:${MASK}:/emulator/qemu-aarch64-static:F' >/emulator/binfmt/register || exit 91
`;

/** What the packages' scripts would have done, and then the system itself. */
const INIT = `#!/emulator/busybox sh
${process.arch === 'arm64' ? '' : REGISTER}ldconfig && systemd-sysusers && systemd-tmpfiles --create --prefix=/var
exec /lib/systemd/systemd
`;

/**
 * Makes the tree in var/, unless it is there from the last time.
 *
 * @returns {string} its folder, not to be changed: tests work on copies
 */
export function arm64Debian() {
  const tree = join(root, 'var', 'arm64', 'debian');
  if (existsSync(tree)) return tree;
  const making = `${tree}.making`;
  rmSync(making, { recursive: true, force: true });
  const release = debianRelease();
  const args = [
    '--quiet',
    '--mode=root',
    '--variant=extract',
    '--architectures=arm64',
    `--include=${PACKAGES.join()}`,
    release,
    making,
    debianMirror(release),
  ];
  const { status, error, stderr } = spawnSync('mmdebstrap', args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`mmdebstrap failed: ${error?.message ?? stderr.split('\n').slice(-10).join('\n')}`);
  for (const [from, to] of [
    ['passwd', 'passwd'],
    ['group', 'group'],
  ])
    copyFileSync(join(making, `usr/share/base-passwd/${from}.master`), join(making, 'etc', to));
  writeFileSync(join(making, 'etc/machine-id'), '');
  mkdirSync(join(making, 'emulator/binfmt'), { recursive: true });
  copyFileSync(SHELL, join(making, 'emulator/busybox'));
  if (process.arch !== 'arm64') copyFileSync(EMULATOR, join(making, 'emulator/qemu-aarch64-static'));
  writeFileSync(join(making, 'emulator/init'), INIT);
  chmodSync(join(making, 'emulator/init'), 0o755);
  renameSync(making, tree);
  return tree;
}
