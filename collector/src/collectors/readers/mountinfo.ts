import type { AgentError } from '@thugshells/shared/errors.ts';

import type { MountKind } from '../../kernel/kernel-files.ts';
import {
  parseDecimal,
  parseEachLine,
  splitFields,
  createLineError,
  quote,
  type KernelLine,
} from '../parsing/kernel-text.ts';
import { createNameMatcher, type NameRules } from '../parsing/name-filter.ts';

/** The fields of a line of mountinfo that are used. */
export interface Mount {
  readonly id: number;
  /** The mount that this one is mounted on; its own id for the first mount. */
  readonly parentId: number;
  /** `major:minor`, the same for all mounts of a file system. */
  readonly device: string;
  /** The directory of the file system that is mounted: `/`, unless it is a bind mount or a subvolume. */
  readonly root: string;
  readonly mountpoint: string;
  /** Whether the mountpoint is UTF-8: Node cannot pass on other paths than that. */
  readonly isUtf8: boolean;
  readonly fstype: string;
  /** What is mounted, such as `/dev/mmcblk0p2`, as the kernel writes it; empty if the file system has none. */
  readonly source: string;
  /** Whether the file system itself is read-only, by option or since an error; not whether this mount of it is. */
  readonly isReadonly: boolean;
  /** Whether it is an overlay to which files can be written: that of images alone has no upper directory. */
  readonly hasUpperDirectory: boolean;
}

const PATH = '/proc/self/mountinfo';
/**
 * The option of an ext4 that writes nothing more after an error: since Linux 6.12 it does not become `ro`, since 6.15 it
 * has this option instead (ext4: show 'emergency_ro' when EXT4_FLAGS_EMERGENCY_RO is set).
 */
const STOPPED_BY_ERROR = 'emergency_ro';

/** Types that store nothing, or nothing but device nodes. To ask an autofs for its space would mount what it stands for. */
const PSEUDO_TYPES: ReadonlySet<string> = new Set(
  `autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs fusectl hugetlbfs mqueue nsfs proc procfs
   pstore rpc_pipefs securityfs selinuxfs sysfs tracefs`.split(/\s+/),
);
/** Served by another machine, or by a program (FUSE), which may have stopped. */
const REMOTE_TYPES =
  /^(9p|afs|beegfs|ceph|cifs|coda|fuse|fuseblk|fuse\..*|gfs2|glusterfs|lustre|ncpfs|nfs4?|ocfs2|orangefs|smb3|smbfs|virtiofs)$/;

/**
 * Parses /proc/self/mountinfo: returns the mounts that this process sees, in the order of the file (proc_pid_mountinfo(5)),
 * and the errors of malformed lines:
 * `id parent major:minor root mountpoint options [optional field …] - fstype source options`.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseMountinfo(text: string): { readonly mounts: Mount[]; readonly errors: readonly AgentError[] } {
  const mounts: Mount[] = [];
  const errors = parseEachLine(PATH, text, (line) => mounts.push(parseMount(line)));
  return { mounts, errors };
}

/** @throws AgentError KERNEL_FILE_MALFORMED */
function parseMount(line: KernelLine): Mount {
  const fields = splitFields(line.text);
  const [id = '', parentId = '', device = '', root = '', mountpoint = ''] = fields;
  const separator = fields.indexOf('-', 6);
  const fstype = fields[separator + 1];
  if (separator < 0 || fstype === undefined) throw createLineError(line, 'no file system type');
  if (!/^[0-9]+:[0-9]+$/.test(device)) throw createLineError(line, `${quote(device)} is not a device`);
  if (!mountpoint.startsWith('/')) throw createLineError(line, `${quote(mountpoint)} is not a mountpoint`);
  const { source, options } = splitSource(line);
  return {
    id: parseDecimal(line, id),
    parentId: parseDecimal(line, parentId),
    device,
    root: unescape(line, root),
    mountpoint: unescape(line, mountpoint),
    isUtf8: !mountpoint.includes('\\x'),
    fstype,
    source,
    isReadonly: options[0] === 'ro' || options.includes(STOPPED_BY_ERROR),
    hasUpperDirectory: options.some((option) => option.startsWith('upperdir=')),
  };
}

/**
 * Splits what follows the type: what is mounted, which may be empty (two blanks are there then), and the options of the file
 * system, the first of which is `ro` or `rw` (show_mountinfo in fs/proc_namespace.c). They may have blanks in them, which
 * not every file system escapes.
 */
function splitSource(line: KernelLine): { readonly source: string; readonly options: readonly string[] } {
  const [, source = '', ...afterSource] = line.text.slice(line.text.indexOf(' - ') + 3).split(' ');
  const first = afterSource.findIndex((field) => /^r[ow](,|$)/.test(field));
  return { source, options: first < 0 ? [] : afterSource.slice(first).join(' ').split(',') };
}

/**
 * Decodes blank, tab, newline, backslash and `#`, which the kernel writes as a backslash and three octal digits; a byte that is
 * not UTF-8 is kept as `decodeKernelText` writes it.
 */
function unescape(line: KernelLine, field: string): string {
  if (/\\(?![01][0-7]{2}|x[0-9a-f]{2})/.test(field))
    throw createLineError(line, `${quote(field)} has an incomplete escape`);
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/**
 * Compiles rules for mount points and types into a predicate; a type never begins with a slash. Types do not exclude a root
 * that is an overlay on writable storage (raspi-config, OpenWrt, containers): any other overlay shows the space of a file
 * system that is reported by itself, while that below the root is usually hidden.
 *
 * @throws AgentError BAD_CONFIGURATION if one is not a regular expression
 */
export function createMountFilter({ include, exclude }: NameRules): (mount: Mount) => boolean {
  const isIncluded = createNameMatcher(include);
  const isExcluded = createNameMatcher(exclude);
  return ({ mountpoint, fstype, hasUpperDirectory }) =>
    (include.length === 0 || isIncluded(mountpoint) || isIncluded(fstype)) &&
    !isExcluded(mountpoint) &&
    ((mountpoint === '/' && hasUpperDirectory) || !isExcluded(fstype));
}

/**
 * Selects the mounts whose space is reported: the wanted ones of real file systems that are not hidden under another mount,
 * one for each file system. Of several mounts of one file system `/` comes first (with ostree it is a bind mount of a
 * part), then the mount of its root rather than of a part (the sandbox of a systemd unit consists of these), then the first.
 */
export function selectRealMounts(mounts: readonly Mount[], isWanted: (mount: Mount) => boolean): Mount[] {
  const isVisible = createVisibilityTest(mounts);
  const real = mounts.filter((mount) => !PSEUDO_TYPES.has(mount.fstype) && isWanted(mount) && isVisible(mount));
  // Visible mountpoints are unique already; labels must be unique whatever a kernel writes, so the last wins.
  const byMountpoint = new Map(real.map((mount) => [mount.mountpoint, mount]));
  const byDevice = new Map<string, Mount>();
  for (const mount of byMountpoint.values()) {
    const chosen = byDevice.get(mount.device);
    if (chosen === undefined || rankMount(mount) > rankMount(chosen)) byDevice.set(mount.device, mount);
  }
  return [...byDevice.values()];
}

/** Returns how well a mount stands for its file system: 2 for `/`, 1 for the whole of it, 0 for a part. */
function rankMount({ mountpoint, root }: Mount): number {
  return mountpoint === '/' ? 2 : Number(root === '/');
}

/**
 * Creates a test whether the mountpoint of a mount leads to it; statfs(2) would otherwise return the space of another
 * file system. A test costs the depth of the path, not the number of mounts: hosts of containers have thousands.
 */
function createVisibilityTest(mounts: readonly Mount[]): (mount: Mount) => boolean {
  const byId = new Map(mounts.map((mount) => [mount.id, mount]));
  /** Places that have a mount on them, by `toPlaceKey`; the first mount is not on itself. */
  const mountedPlaces = new Set(
    mounts.filter(({ id, parentId }) => id !== parentId).map((mount) => toPlaceKey(mount.parentId, mount.mountpoint)),
  );
  return (mount) => {
    if (mountedPlaces.has(toPlaceKey(mount.id, mount.mountpoint))) return false;
    const seen = new Set<Mount>();
    for (let one: Mount | undefined = mount; one !== undefined && !seen.has(one); one = byId.get(one.parentId)) {
      seen.add(one);
      const { parentId, mountpoint } = one;
      // Of two mounts on directories of one parent, the path to the lower one ends at the upper one, in either order.
      if (listDirectoriesAbove(mountpoint).some((directory) => mountedPlaces.has(toPlaceKey(parentId, directory))))
        return false;
    }
    return true;
  };
}

function toPlaceKey(parentId: number, mountpoint: string): string {
  return `${parentId} ${mountpoint}`;
}

/** Lists the directories above a path: `/` and `/media` for `/media/usb`. */
function listDirectoriesAbove(path: string): string[] {
  const parts = path.split('/').slice(1, -1);
  const above = parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
  return path === '/' ? [] : ['/', ...above];
}

/** Returns who serves a file system, by its type. */
export function classifyMount({ fstype }: Mount): MountKind {
  return REMOTE_TYPES.test(fstype) ? 'remote' : 'local';
}
