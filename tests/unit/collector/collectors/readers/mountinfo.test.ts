import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  classifyMount,
  createMountFilter,
  parseMountinfo,
  selectRealMounts,
} from '../../../../../collector/src/collectors/readers/mountinfo.ts';
import { DEFAULT_OPTIONS } from '../../../../support/collector/default-options.ts';
import { readRecorded } from '../../../../support/collector/text-kernel.ts';

interface Given {
  readonly id?: number;
  readonly parent?: number;
  readonly device?: string;
  readonly root?: string;
  readonly fstype?: string;
}

let nextId = 100;
/** One line; every mount is of a file system of its own, mounted on the root, unless told otherwise. */
function line(
  mountpoint: string,
  { id = (nextId += 1), parent = 1, device = `8:${id}`, root = '/', fstype = 'ext4' }: Given = {},
): string {
  return `${id} ${parent} ${device} ${root} ${mountpoint} rw,relatime shared:1 master:2 - ${fstype} /dev/x rw\n`;
}
const isWantedByDefault = createMountFilter({ include: [], exclude: DEFAULT_OPTIONS.filesystemExclude });
const selectMounts = (text: string) => selectRealMounts(parseMountinfo(text).mounts, isWantedByDefault);
const mountpointsOf = (...lines: string[]) => selectMounts(lines.join('')).map(({ mountpoint }) => mountpoint);

describe('a line', () => {
  test('has any number of optional fields before the separator', () => {
    for (const optional of ['', 'shared:1 ', 'shared:1 master:2 propagate_from:3 unbindable ']) {
      expect(
        parseMountinfo(`36 35 98:0 /mnt1 /mnt2 rw,noatime ${optional}- ext3 /dev/root rw,errors=continue\n`),
      ).toEqual({
        mounts: [
          {
            id: 36,
            parentId: 35,
            device: '98:0',
            root: '/mnt1',
            mountpoint: '/mnt2',
            isUtf8: true,
            fstype: 'ext3',
            source: '/dev/root',
            isReadonly: false,
            hasUpperDirectory: false,
          },
        ],
        errors: [],
      });
    }
  });

  test('may name a mount without a source', () => {
    expect(parseMountinfo('36 35 0:9 / /mnt rw - tmpfs  ro\n').mounts[0]).toMatchObject({
      mountpoint: '/mnt',
      fstype: 'tmpfs',
      source: '',
      isReadonly: true,
    });
  });

  test('has blanks, tabs, newlines, backslashes and hashes of a path as octal escapes', () => {
    expect(mountpointsOf(line('/my\\040usb\\011disk\\012\\134040\\043'))).toEqual(['/my usb\tdisk\n\\040#']);
  });

  test('gives back any path that the kernel has escaped', () => {
    const escaped = (path: string) =>
      path.replace(/[ \t\n\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\\', '#', '0', '4', 'a', 'ä', '-', '/') }),
        (name) => {
          expect(parseMountinfo(line(escaped(`/${name}`))).mounts[0]?.mountpoint).toBe(`/${name}`);
        },
      ),
    );
  });
});

describe('what is left out', () => {
  test('are the types that the kernel invents, and images', () => {
    const left = [
      'proc',
      'sysfs',
      'cgroup',
      'cgroup2',
      'devtmpfs',
      'overlay',
      'squashfs',
      'autofs',
      'tracefs',
      'nsfs',
      'erofs',
      'iso9660',
    ];
    const kept = ['ext4', 'vfat', 'btrfs', 'f2fs', 'ubifs', 'jffs2', 'tmpfs', 'nfs4', 'fuse.sshfs', 'zfs'];
    expect(mountpointsOf(...left.map((fstype) => line(`/mnt/${fstype}`, { fstype })))).toEqual([]);
    expect(mountpointsOf(...kept.map((fstype) => line(`/mnt/${fstype}`, { fstype })))).toEqual(
      kept.map((fstype) => `/mnt/${fstype}`),
    );
  });

  test('are mountpoints of the system, and what only begins like them is kept', () => {
    const left = [
      '/dev/shm',
      '/dev',
      '/proc/fs/nfsd',
      '/sys/firmware',
      '/run/credentials/x',
      '/var/lib/docker/volumes/y',
      '/var/lib/containers/storage/z',
    ];
    const kept = ['/devices', '/run/credentials', '/var/lib/docker', '/system'];
    expect(mountpointsOf(...[...left, ...kept].map((mountpoint) => line(mountpoint)))).toEqual(kept);
  });
});

describe('a file system that is mounted several times', () => {
  test('is reported once, at its first mountpoint', () => {
    expect(mountpointsOf(line('/data', { device: '8:1' }), line('/srv', { device: '8:1' }), line('/home'))).toEqual([
      '/data',
      '/home',
    ]);
  });

  test('is reported at the mount of its root rather than of a part', () => {
    const part = line('/var/tmp', { device: '8:1', root: '/tmp/systemd-private' });
    const whole = line('/data', { device: '8:1' });
    expect(mountpointsOf(part)).toEqual(['/var/tmp']);
    expect(mountpointsOf(part, whole)).toEqual(['/data']);
    expect(mountpointsOf(whole, part)).toEqual(['/data']);
  });

  test('is reported at its first subvolume if no mount is of its root', () => {
    const subvolumes = [
      line('/', { device: '0:30', root: '/@', fstype: 'btrfs' }),
      line('/home', { device: '0:30', root: '/@home', fstype: 'btrfs' }),
    ];
    expect(mountpointsOf(...subvolumes)).toEqual(['/']);
  });
});

describe('a mount that is hidden is left out', () => {
  test('under another one on its mountpoint: the last wins', () => {
    expect(
      selectMounts(line('/mnt', { id: 10, device: '8:1' }) + line('/mnt', { id: 11, parent: 10, device: '8:2' })),
    ).toMatchObject([{ device: '8:2' }]);
    expect(selectMounts(line('/mnt', { device: '8:1' }) + line('/mnt', { device: '8:2' }))).toMatchObject([
      { device: '8:2' },
    ]);
  });

  test('under one on a directory above it', () => {
    expect(mountpointsOf(line('/mnt/usb'), line('/mnt'), line('/mnt2'))).toEqual(['/mnt', '/mnt2']);
  });

  test('with all that is mounted on it', () => {
    expect(
      mountpointsOf(
        line('/a', { id: 10 }),
        line('/a/b', { id: 11, parent: 10 }),
        line('/a/b/c', { parent: 11 }),
        line('/a', { id: 13, parent: 10 }),
      ),
    ).toEqual(['/a']);
  });

  test('but not by what is mounted on it further down', () => {
    expect(
      mountpointsOf(line('/', { id: 10 }), line('/a', { id: 11, parent: 10 }), line('/a/b', { parent: 11 })),
    ).toEqual(['/', '/a', '/a/b']);
  });

  test('but not by the first root of all, which is its own parent', () => {
    expect(mountpointsOf(line('/', { id: 1, parent: 1, fstype: 'tmpfs' }), line('/x', { parent: 1 }))).toEqual([
      '/',
      '/x',
    ]);
  });

  test('with everything under it when the root is changed', () => {
    expect(
      mountpointsOf(
        line('/', { id: 1, parent: 1, fstype: 'tmpfs' }),
        line('/x', { parent: 1 }),
        line('/', { id: 20, parent: 1 }),
      ),
    ).toEqual(['/']);
  });

  test('even by what has become the root over the first root, which is its own parent', () => {
    expect(
      mountpointsOf(
        line('/', { id: 1, parent: 1, fstype: 'rootfs' }),
        line('/', { id: 20, parent: 1 }),
        line('/x', { parent: 20 }),
      ),
    ).toEqual(['/', '/x']);
  });
});

test.each([
  ['nfs', 'remote'],
  ['nfs4', 'remote'],
  ['cifs', 'remote'],
  ['smb3', 'remote'],
  ['fuse.sshfs', 'remote'],
  ['fuseblk', 'remote'],
  ['9p', 'remote'],
  ['ceph', 'remote'],
  ['ext4', 'local'],
  ['vfat', 'local'],
  ['f2fs', 'local'],
  ['nfsd', 'local'],
  ['tmpfs', 'local'],
  ['fusectl', 'local'],
])('%s is answered for by something %s', (fstype, kind) => {
  expect(parseMountinfo(line('/mnt', { fstype })).mounts.map(classifyMount)).toEqual([kind]);
});

test('of the recorded device, the mounts are those that df and findmnt show', () => {
  expect(selectMounts(readRecorded('proc/self/mountinfo'))).toMatchObject([
    { mountpoint: '/', fstype: 'ext4', device: '254:0' },
    { mountpoint: '/media', fstype: 'tmpfs', device: '0:39' },
    { mountpoint: '/media/data', fstype: 'ext4', device: '7:0' },
    { mountpoint: '/media/usb disk', fstype: 'ext4', device: '7:1' },
    { mountpoint: '/media/shadow', fstype: 'tmpfs', device: '0:41' },
    { mountpoint: '/media/covered', fstype: 'tmpfs', device: '0:43' },
  ]);
});
