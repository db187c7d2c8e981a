/** The kernels that benches of collectors scrape. */
import { KernelFiles } from '../../../collector/src/kernel/kernel-files.ts';
import { SimulatedKernel } from '../../../collector/src/kernel/simulated-kernel.ts';

/** A device of the size that the figures are given for. */
export const DEVICE_SIZE = { cores: 8, disks: 4, interfaces: 6, zones: 10 };
/** Between two scrapes, as the simulated device has it. */
export const INTERVAL_MS = 10_000;

/** A simulated device whose texts are created by `advance`, and only handed out by a scrape. */
export class PreparedKernel {
  #elapsedMs = 0;
  #kernel = new SimulatedKernel({ elapsedMs: () => this.#elapsedMs, ...DEVICE_SIZE });
  #answers = new Map();

  async advance() {
    this.#elapsedMs += INTERVAL_MS;
    for (const { ask } of [...this.#answers.values()]) await ask();
  }

  async #answer(key, read) {
    const ask = async () => {
      const answer = await read().then(
        (value) => () => value,
        (error) => () => {
          throw error;
        },
      );
      this.#answers.set(key, { ask, answer });
    };
    if (!this.#answers.has(key)) await ask();
    return this.#answers.get(key).answer();
  }

  proc = (path) => this.#answer(`proc ${path}`, () => this.#kernel.proc(path));
  procEntries = (path) => this.#answer(`proc entries ${path}`, () => this.#kernel.procEntries(path));
  procEntryCount = (path) => this.#answer(`proc count ${path}`, () => this.#kernel.procEntryCount(path));
  sys = (path) => this.#answer(`sys ${path}`, () => this.#kernel.sys(path));
  sysEntries = (path) => this.#answer(`entries ${path}`, () => this.#kernel.sysEntries(path));
  sysLink = (path) => this.#answer(`link ${path}`, () => this.#kernel.sysLink(path));
  sysInode = (path) => this.#answer(`inode ${path}`, () => this.#kernel.sysInode(path));
  statfs = (path) => this.#answer(`statfs ${path}`, () => this.#kernel.statfs(path));
  host = {
    text: (path) => this.#answer(`text ${path}`, () => this.#kernel.host.text(path)),
    link: (path) => this.#answer(`host link ${path}`, () => this.#kernel.host.link(path)),
    ageMs: (path) => this.#answer(`age ${path}`, () => this.#kernel.host.ageMs(path)),
  };
}

/** Files below /sys that the collector reads without a thread, as it does those of /proc. */
const IN_MEMORY = /^fs\/(cgroup|ext4)\/|^class\/net\/[^/]+\/(operstate|carrier_changes)$|\/ioerr_cnt$/;

/**
 * The same device at the price of reading a real one: for each of its files one of this machine is read besides, and for
 * each that it lacks one that this machine lacks.
 */
export function withRealReads(prepared) {
  const files = new KernelFiles({ procRoot: '/proc', sysRoot: '/sys', hostRoot: '/' });
  const priced = (read, price) => async (path) => {
    const result = await read(path).then(
      (value) => ({ value }),
      (error) => ({ error }),
    );
    await price('error' in result ? 'thugshells-none' : path).catch(() => undefined);
    if ('error' in result) throw result.error;
    return result.value;
  };
  /** By file of /proc that this machine lacks: the one that is read in its place. */
  const substitutes = new Map();
  const isAbsent = (path) => path === 'thugshells-none';
  return {
    advance: () => prepared.advance(),
    proc: priced(prepared.proc, async (path) => {
      if (isAbsent(path)) await files.proc(path);
      const present = substitutes.get(path) ?? path;
      await files.proc(present).catch(() => substitutes.set(path, 'uptime'));
    }),
    procEntries: priced(prepared.procEntries, (path) => files.procEntries(isAbsent(path) ? path : 'net')),
    procEntryCount: priced(prepared.procEntryCount, (path) => files.procEntryCount(isAbsent(path) ? path : 'self/fd')),
    sys: priced(prepared.sys, (path) => {
      if (IN_MEMORY.test(path)) return files.proc('uptime');
      return files.sys(isAbsent(path) ? path : 'kernel/uevent_seqnum');
    }),
    sysEntries: priced(prepared.sysEntries, (path) => files.sysEntries(isAbsent(path) ? path : 'block')),
    sysLink: priced(prepared.sysLink, () => files.sysLink('block')),
    sysInode: priced(prepared.sysInode, (path) => files.sysInode(isAbsent(path) ? path : 'block')),
    statfs: priced(prepared.statfs, () => files.statfs('/', 'local')),
    host: {
      text: priced(prepared.host.text, (path) => files.host.text(isAbsent(path) ? path : 'etc/os-release')),
      link: priced(prepared.host.link, () => files.host.link('etc/localtime')),
      ageMs: priced(prepared.host.ageMs, (path) => files.host.ageMs(isAbsent(path) ? path : 'etc/os-release')),
    },
  };
}

/** This machine's own kernel. */
export function thisMachine() {
  const files = new KernelFiles({ procRoot: '/proc', sysRoot: '/sys', hostRoot: '/' });
  return Object.assign(files, { advance: async () => undefined });
}
