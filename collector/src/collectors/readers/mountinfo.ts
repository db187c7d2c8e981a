import type { MountKind } from '../../kernel/kernel-files.ts';
import {
  parseDecimal,
  splitFields,
  splitLines,
  createLineError,
  quote,
  type KernelLine,
} from '../parsing/kernel-text.ts';

/** One line of mountinfo, as far as it is of use. */
export interface Mount {
  readonly id: number;
  /** The mount that this one is mounted on; its own id for the very first. */
  readonly parentId: number;
  /** `major:minor`, one for each file system, also where it is mounted several times. */
  readonly device: string;
  /** The directory of the file system that is mounted: `/`, unless only a part of it is, or a subvolume. */
  readonly root: string;
  readonly mountpoint: string;
  readonly fstype: string;
  /** Whether the file system itself is read-only, by choice or since an error; a sandbox that may not write is another matter. */
  readonly isReadonly: boolean;
}

const PATH = '/proc/self/mountinfo';

/** What node_exporter leaves out unless told otherwise: what the kernel invents, and images that are always full. */
const PSEUDO_TYPES: ReadonlySet<string> = new Set(
  `autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs erofs fusectl hugetlbfs iso9660 mqueue nsfs
   overlay proc procfs pstore rpc_pipefs securityfs selinuxfs squashfs sysfs tracefs`.split(/\s+/),
);
const PSEUDO_MOUNTPOINTS =
  /^\/(dev|proc|run\/credentials\/.+|sys|var\/lib\/docker\/.+|var\/lib\/containers\/storage\/.+)($|\/)/;
/** Another machine answers for them, or a program (FUSE), which may have stopped. */
const REMOTE_TYPES =
  /^(9p|afs|beegfs|ceph|cifs|coda|fuse|fuseblk|fuse\..*|gfs2|glusterfs|lustre|ncpfs|nfs4?|ocfs2|orangefs|smb3|smbfs|virtiofs)$/;

/**
 * The mounts that this process sees, in the order of the file (proc_pid_mountinfo(5)):
 * `id parent major:minor root mountpoint options [optional field …] - fstype source options`.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseMountinfo(text: string): Mount[] {
  return splitLines(PATH, text).map((line) => {
    const fields = splitFields(line.text);
    const [id = '', parentId = '', device = '', root = '', mountpoint = ''] = fields;
    const [separator, fstype, ...sourceAndOptions] = fields.slice(fields.indexOf('-', 6));
    if (separator !== '-' || fstype === undefined) throw createLineError(line, 'no type of a file system');
    if (!/^[0-9]+:[0-9]+$/.test(device)) throw createLineError(line, `${quote(device)} is not a device`);
    if (!mountpoint.startsWith('/')) throw createLineError(line, `${quote(mountpoint)} is not a mountpoint`);
    const ids = { id: parseDecimal(line, id), parentId: parseDecimal(line, parentId) };
    // A mount without a source has a blank in its place, so that the options are the last field whatever comes before.
    const isReadonly = sourceAndOptions.at(-1)?.split(',').includes('ro') ?? false;
    return { ...ids, device, root: unescape(line, root), mountpoint: unescape(line, mountpoint), fstype, isReadonly };
  });
}

/** The kernel writes blank, tab, newline, backslash and `#` as a backslash and three octal digits. */
function unescape(line: KernelLine, field: string): string {
  if (/\\(?![01][0-7]{2})/.test(field)) throw createLineError(line, `${quote(field)} has half an escape`);
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/**
 * The mounts whose space is of interest and can be asked for: of real file systems, not hidden under another mount,
 * and each file system once. Where it is mounted several times, its own root goes before a bind mount of a part (the
 * sandbox of a systemd unit is made of these), and then the first.
 */
export function selectRealMounts(mounts: readonly Mount[]): Mount[] {
  const isVisible = createVisibilityTest(mounts);
  const real = mounts.filter(
    (mount) => !PSEUDO_TYPES.has(mount.fstype) && !PSEUDO_MOUNTPOINTS.test(mount.mountpoint) && isVisible(mount),
  );
  // Mountpoints are told apart by visibility already; a label must be unique whatever a kernel writes, and the last wins.
  const byMountpoint = new Map(real.map((mount) => [mount.mountpoint, mount]));
  const byDevice = new Map<string, Mount>();
  for (const mount of byMountpoint.values()) {
    const chosen = byDevice.get(mount.device);
    if (chosen === undefined || (chosen.root !== '/' && mount.root === '/')) byDevice.set(mount.device, mount);
  }
  return [...byDevice.values()];
}

/**
 * Whether the mountpoint of a mount leads to it. A statfs(2) there would else tell the space of another file system.
 * Each answer costs the depth of the path, not the number of mounts: hosts of containers have thousands.
 */
function createVisibilityTest(mounts: readonly Mount[]): (mount: Mount) => boolean {
  const byId = new Map(mounts.map((mount) => [mount.id, mount]));
  /** Where there is a mount on the parent, by `placeOn`; the very first mount is not on itself. */
  const taken = new Set(
    mounts.filter(({ id, parentId }) => id !== parentId).map((mount) => toPlaceKey(mount.parentId, mount.mountpoint)),
  );
  return (mount) => {
    if (taken.has(toPlaceKey(mount.id, mount.mountpoint))) return false;
    const seen = new Set<Mount>();
    for (let one: Mount | undefined = mount; one !== undefined && !seen.has(one); one = byId.get(one.parentId)) {
      seen.add(one);
      const { parentId, mountpoint } = one;
      // Two mounts on directories of one parent: the lower one's path ends at the upper one, whichever came first.
      if (listDirectoriesAbove(mountpoint).some((directory) => taken.has(toPlaceKey(parentId, directory))))
        return false;
    }
    return true;
  };
}

function toPlaceKey(parentId: number, mountpoint: string): string {
  return `${parentId} ${mountpoint}`;
}

/** `/` and `/media` for `/media/usb`. */
function listDirectoriesAbove(path: string): string[] {
  const parts = path.split('/').slice(1, -1);
  const above = parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
  return path === '/' ? [] : ['/', ...above];
}

/** Who answers for the space of this type of file system. */
export function classifyMount({ fstype }: Mount): MountKind {
  return REMOTE_TYPES.test(fstype) ? 'remote' : 'local';
}
