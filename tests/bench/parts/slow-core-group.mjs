/**
 * A control group whose processes share a part of one core: cgroup v2's cpu.max, or cpu.cfs_quota_us of v1's controller
 * `cpu`, and the affinity of their threads. It is made below the root of the hierarchy, which takes root.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Short, so that a slow core is imitated and not a fast one that pauses: a tenth of it is the 1 ms that the kernel takes as
 * the least quota. The kernel looks at its ticks, so a process may run on for one of them, and waits the longer for it.
 */
const PERIOD_US = 10_000;
const LEAST_QUOTA_US = 1_000;
const REMOVE_ATTEMPTS = 50;

/** Where the controller `cpu` is mounted, of v2 before v1; undefined where it is not. */
function findHierarchy() {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const v2 = mounts.find(([, folder, type]) => type === 'cgroup2' && hasController(folder));
  if (v2 !== undefined) return { version: 2, folder: v2[1] };
  const v1 = mounts.find(([, , type, flags]) => type === 'cgroup' && flags.split(',').includes('cpu'));
  return v1 === undefined ? undefined : { version: 1, folder: v1[1] };
}

function hasController(folder) {
  const file = join(folder, 'cgroup.controllers');
  return existsSync(file) && readFileSync(file, 'utf8').trim().split(' ').includes('cpu');
}

/** Makes the group. @throws if the CPU time of a group cannot be limited here; the message says why */
export function createSlowCore({ core, share }) {
  const quotaUs = Math.max(LEAST_QUOTA_US, Math.round(PERIOD_US * share));
  const hierarchy = findHierarchy();
  if (hierarchy === undefined) throw new Error('the controller cpu is mounted neither as cgroup v2 nor as v1');
  const { version, folder } = hierarchy;
  const group = join(folder, `bench-slow-core-${process.pid}`);
  // Also finds out whether taskset and the core are there.
  execFileSync('taskset', ['-c', String(core), 'true'], { stdio: 'pipe' });
  if (version === 2) writeFileSync(join(folder, 'cgroup.subtree_control'), '+cpu');
  mkdirSync(group);
  try {
    limit(group, version, quotaUs);
  } catch (error) {
    rmdirSync(group);
    throw error;
  }
  return new SlowCore({ group, version, core, share: quotaUs / PERIOD_US });
}

function limit(group, version, quotaUs) {
  if (version === 2) writeFileSync(join(group, 'cpu.max'), `${quotaUs} ${PERIOD_US}`);
  else {
    writeFileSync(join(group, 'cpu.cfs_period_us'), String(PERIOD_US));
    writeFileSync(join(group, 'cpu.cfs_quota_us'), String(quotaUs));
  }
}

class SlowCore {
  #group;
  #core;
  /** Of one core. */
  share;
  title;

  constructor({ group, version, core, share }) {
    this.#group = group;
    this.#core = core;
    this.share = share;
    this.title = `core ${core}, ${(share * 100).toFixed(0)} % of it (cgroup v${version}, a period of ${PERIOD_US / 1000} ms)`;
  }

  /** Moves a process with all its threads; those that it starts later are in the group as well. */
  add(pid) {
    writeFileSync(join(this.#group, 'cgroup.procs'), String(pid));
    execFileSync('taskset', ['-a', '-p', '-c', String(this.#core), String(pid)], { stdio: 'pipe' });
  }

  /** Of the periods in which something ran, the share in which it had to wait. */
  throttledShare() {
    const stat = readFileSync(join(this.#group, 'cpu.stat'), 'utf8');
    const field = (name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? NaN);
    return field('nr_throttled') / field('nr_periods');
  }

  /** Removes the group once its processes have ended. */
  async remove() {
    for (let attempt = 1; ; attempt++) {
      try {
        rmdirSync(this.#group);
        return;
      } catch (error) {
        if (error.code !== 'EBUSY' || attempt === REMOVE_ATTEMPTS) throw error;
        await sleep(100);
      }
    }
  }
}
