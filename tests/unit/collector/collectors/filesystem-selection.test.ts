import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { COLLECTORS, type CollectorOptions } from '../../../../collector/src/collectors/table.ts';
import { KernelFiles } from '../../../../collector/src/kernel/kernel-files.ts';
import { DEFAULT_OPTIONS } from '../../../support/collector/default-options.ts';
import { createKernelError, indexByIdentity, TextKernel } from '../../../support/collector/text-kernel.ts';

const SPACE = { sizeBytes: 1000, availableBytes: 400, files: 0, filesFree: 0 };

interface FakeMount {
  readonly at: string;
  readonly type?: string;
  /** Default: a file system of its own. */
  readonly device?: string;
  readonly root?: string;
  /** Source and super options. */
  readonly rest?: string;
}

function createKernel(mounts: readonly FakeMount[]): TextKernel {
  const rootId = 20 + mounts.findIndex(({ at }) => at === '/');
  const lines = mounts.map(
    ({ at, type = 'ext4', device, root = '/', rest = '/dev/x rw' }, index) =>
      `${20 + index} ${at === '/' ? 1 : rootId} ${device ?? `8:${index}`} ${root} ${at} rw - ${type} ${rest}\n`,
  );
  const kernel = new TextKernel({ 'proc/self/mountinfo': lines.join('') });
  for (const { at } of mounts) kernel.spaces.set(at.replaceAll('\\040', ' '), SPACE);
  return kernel;
}

const createCollector = (kernel: TextKernel, options: Partial<CollectorOptions> = {}) =>
  COLLECTORS.filesystem.create({ kernel, options: { ...DEFAULT_OPTIONS, ...options } });

async function listReported(mounts: readonly FakeMount[], options: Partial<CollectorOptions> = {}): Promise<string[]> {
  const readings = await createCollector(createKernel(mounts), options).collect({ monotonicMs: 0 });
  return readings.flatMap(({ series, labels }) =>
    series.name === 'filesystem.size_bytes' ? (labels['mountpoint'] as string) : [],
  );
}

const ID = '0123456789abcdef'.repeat(4);
const POD = '0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f';

describe('filesystem collector: FILESYSTEM_INCLUDE and FILESYSTEM_EXCLUDE', () => {
  const MOUNTS: readonly FakeMount[] = [
    { at: '/' },
    { at: '/boot', type: 'vfat' },
    { at: '/tmp', type: 'tmpfs' },
    { at: '/srv/tmpfs' },
    { at: '/snap/core/1', type: 'squashfs' },
  ];

  test('report what is included by mount point or by type, and of that nothing that is excluded', async () => {
    expect(await listReported(MOUNTS, { filesystemInclude: ['/boot', 'tmpfs'] })).toEqual(['/boot', '/tmp']);
    expect(await listReported(MOUNTS, { filesystemInclude: ['/.*'], filesystemExclude: ['vfat', '/tmp'] })).toEqual([
      '/',
      '/srv/tmpfs',
      '/snap/core/1',
    ]);
  });

  test('match a whole mount point or a whole type', async () => {
    expect(await listReported(MOUNTS, { filesystemExclude: ['tmp', '/snap', 'fat', 'ext.'] })).toEqual([
      '/boot',
      '/tmp',
      '/snap/core/1',
    ]);
  });

  test('leave images out by default, and overlays that show the space of a file system that is reported', async () => {
    expect(await listReported([...MOUNTS, { at: '/etc', type: 'overlay' }])).toEqual([
      '/',
      '/boot',
      '/tmp',
      '/srv/tmpfs',
    ]);
    expect(await listReported([{ at: '/etc', type: 'overlay' }], { filesystemExclude: [] })).toEqual(['/etc']);
  });

  test('cannot name what has no space: an autofs would mount what it stands for', async () => {
    const kernel = createKernel([{ at: '/net/nas', type: 'autofs' }, { at: '/' }]);
    kernel.spaces.delete('/net/nas');
    const collector = createCollector(kernel, { filesystemInclude: ['/.*'], filesystemExclude: [] });
    kernel.statfs = async (path) => {
      expect(path).toBe('/');
      return SPACE;
    };
    expect(await collector.collect({ monotonicMs: 0 })).toHaveLength(3);
  });

  test.each([
    [`/var/lib/kubelet/pods/${POD}/volumes/kubernetes.io~projected/kube-api-access-x7k2p`, 'tmpfs'],
    [`/var/snap/microk8s/common/var/lib/kubelet/pods/${POD}/volumes/kubernetes.io~empty-dir/cache`, 'tmpfs'],
    [`/var/lib/kubelet/plugins/kubernetes.io/csi/driver.example/pvc-1/globalmount`, 'ext4'],
    [`/run/k3s/containerd/io.containerd.grpc.v1.cri/sandboxes/${ID}/shm`, 'tmpfs'],
    [`/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/${ID}/rootfs`, 'overlay'],
    [`/run/containerd/io.containerd.grpc.v1.cri/sandboxes/${ID}/shm`, 'tmpfs'],
    [`/var/lib/containerd/tmpmounts/containerd-mount123456789`, 'ext4'],
    [`/var/lib/docker/containers/${ID}/mounts/shm`, 'tmpfs'],
    [`/mnt/data/docker/containers/${ID}/mounts/shm`, 'tmpfs'],
    [`/home/pi/.local/share/containers/storage/overlay-containers/${ID}/userdata/shm`, 'tmpfs'],
    [`/run/user/1000/containers/overlay-containers/${ID}`, 'tmpfs'],
    [`/var/lib/containers/storage/volumes/x/_data`, 'xfs'],
  ])('leave out the sandbox of a container or a pod by default: %s', async (at, type) => {
    expect(await listReported([{ at: '/' }, { at, type }])).toEqual(['/']);
  });

  test('keep the disks on which containers are stored', async () => {
    const disks = ['/var/lib/docker', '/var/lib/kubelet', '/var/lib/containerd', '/run/containerd', '/data/pods/small'];
    expect(await listReported(disks.map((at) => ({ at })))).toEqual(disks);
  });
});

describe('filesystem collector: the root', () => {
  test('is reported when it is an overlay with an upper directory, as raspi-config makes it', async () => {
    const rest = 'overlay rw,lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work';
    expect(await listReported([{ at: '/', type: 'overlay', rest }, { at: '/boot' }])).toEqual(['/', '/boot']);
    // It can be left out by its mount point.
    expect(
      await listReported([{ at: '/', type: 'overlay', rest }, { at: '/boot' }], { filesystemExclude: ['/'] }),
    ).toEqual(['/boot']);
  });

  test('is left out when it is an overlay of images, which is always full', async () => {
    const rest = 'composefs ro,lowerdir+=/run/image,datadir+=/sysroot/objects,redirect_dir=on,metacopy=on';
    expect(await listReported([{ at: '/', type: 'overlay', rest }, { at: '/sysroot' }])).toEqual(['/sysroot']);
  });

  test('stands for its file system though another mount shows the whole of it, as with ostree', async () => {
    const device = '179:2';
    const deployment: FakeMount = { at: '/', device, root: '/ostree/deploy/os/deploy/1f2e.0' };
    const others: FakeMount[] = [
      { at: '/sysroot', device },
      { at: '/var', device, root: '/ostree/deploy/os/var' },
    ];
    expect(await listReported([deployment, ...others])).toEqual(['/']);
    expect(await listReported([...others, deployment])).toEqual(['/']);
    expect(await listReported(others)).toEqual(['/sysroot']);
  });
});

describe('filesystem collector: read-only', () => {
  test.each([
    ['ro', '//h/A\\040B ro,unc=\\\\h\\A B,uid=0', 1],
    ['rw', '//h/A\\040B rw,unc=\\\\h\\A B,username=x ro,uid=0', 0],
    ['rw with a source that is called ro', 'ro rw,size=4k', 0],
    ['ro without a source', ' ro,size=4k', 1],
    ['ro without another option', '/dev/sda1 ro', 1],
    ['rw with an option that begins alike', '/dev/sda1 rw,rootcontext=x,ro', 0],
    ['ro with a source whose blank is not escaped', 'C:\\134Program Files ro,dirsync', 1],
  ])('is what the kernel writes first in the options of the file system: %s', async (_, rest, expected) => {
    const kernel = createKernel([{ at: '/data', type: 'cifs', rest }]);
    const readings = indexByIdentity(await createCollector(kernel).collect({ monotonicMs: 0 }));
    expect(readings['filesystem.readonly{mountpoint=/data,fstype=cifs}']).toBe(expected);
  });
});

describe('filesystem collector: a mount below a folder that the service may not enter', () => {
  const STICK = '/media/pi/STICK';
  const PORTAL = '/run/user/1000/doc';
  const denied = (path: string) => createKernelError(path, 'EACCES');

  function createBoard() {
    const kernel = createKernel([{ at: '/' }, { at: STICK, type: 'vfat' }, { at: PORTAL, type: 'fuse.portal' }]);
    for (const path of [STICK, PORTAL]) kernel.spaces.set(path, denied(path));
    const collector = createCollector(kernel);
    const scrape = async () => indexByIdentity(await collector.collect({ monotonicMs: 0 }));
    return { kernel, collector, scrape };
  }

  test('is left out and counted once, also if a program answers for it, and the others are reported', async () => {
    const { scrape } = createBoard();
    for (const _scrape of [1, 2, 3]) {
      expect(await scrape()).toEqual({
        'filesystem.size_bytes{mountpoint=/,fstype=ext4}': 1000,
        'filesystem.available_bytes{mountpoint=/,fstype=ext4}': 400,
        'filesystem.readonly{mountpoint=/,fstype=ext4}': 0,
        'filesystem.mounts_dropped_total': 2,
      });
    }
  });

  test('is named for the log, with what to do', async () => {
    const { collector, scrape, kernel } = createBoard();
    expect(collector.notice).toBeUndefined();
    await scrape();
    const notice = `${STICK} and 1 more not reported: the collector's user may not enter a folder above it; exclude it with FILESYSTEM_EXCLUDE, or let the user in`;
    expect(collector.notice).toBe(notice);
    kernel.spaces.set(STICK, SPACE);
    await scrape();
    expect(collector.notice).toBe(notice);
  });

  test('is counted again when it is left out again after it has been reported', async () => {
    const { scrape, kernel } = createBoard();
    await scrape();
    kernel.spaces.set(STICK, SPACE);
    expect(await scrape()).toMatchObject({
      'filesystem.mounts_dropped_total': 2,
      [`filesystem.size_bytes{mountpoint=${STICK},fstype=vfat}`]: 1000,
    });
    kernel.spaces.set(STICK, denied(STICK));
    expect(await scrape()).toMatchObject({ 'filesystem.mounts_dropped_total': 3 });
  });

  test('has no counter on a device where every mount can be read', async () => {
    const { scrape, kernel } = createBoard();
    for (const path of [STICK, PORTAL]) kernel.spaces.set(path, SPACE);
    expect(await scrape()).not.toHaveProperty(['filesystem.mounts_dropped_total']);
  });
});

test('filesystem collector: a mount whose name is not UTF-8 is left out, counted and named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mount-names-'));
  mkdirSync(join(folder, 'self'));
  const lines = ['20 1 8:1 / / rw - ext4 /dev/sda1 rw', '21 20 8:2 / /media/M\xfcll rw - vfat /dev/sdb1 rw', ''];
  writeFileSync(join(folder, 'self/mountinfo'), Buffer.from(lines.join('\n'), 'latin1'));
  const kernel = new KernelFiles({ procRoot: folder, sysRoot: folder });
  const collector = COLLECTORS.filesystem.create({ kernel, options: DEFAULT_OPTIONS });
  for (const _scrape of [1, 2]) {
    const readings = indexByIdentity(await collector.collect({ monotonicMs: 0 }));
    expect(readings).toMatchObject({ 'filesystem.mounts_dropped_total': 1 });
    expect(Object.keys(readings).filter((identity) => identity.includes('/media'))).toEqual([]);
  }
  expect(collector.notice).toBe(
    '/media/M\\xfcll not reported: its name is not UTF-8; mount it by another name, or exclude it with FILESYSTEM_EXCLUDE',
  );
  rmSync(folder, { recursive: true });
});

test('filesystem collector: a malformed line of mountinfo costs itself, and is named at every scrape', async () => {
  const kernel = createKernel([{ at: '/' }, { at: '/data' }]);
  kernel.files.set('proc/self/mountinfo', `${kernel.files.get('proc/self/mountinfo')}31 1 8:3 / /mnt rw - \n32 1`);
  const collector = createCollector(kernel);
  for (const _scrape of [1, 2]) {
    const error = await collector.collect({ monotonicMs: 0 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'KERNEL_FILE_MALFORMED',
      message:
        'cannot parse /proc/self/mountinfo: line 3: no file system type; cannot parse /proc/self/mountinfo: line 4: truncated, no newline at its end',
    });
    expect(extractReadings(error)).toHaveLength(6);
  }
});
