/** Mutations of what is kept of kernel files that are unusual. */

/** @type {import('../mutation.mjs').Mutation[]} */
export const reading = [
  {
    why: 'fails for ever beside a stick that only its owner may enter',
    file: 'collector/src/collectors/filesystem.ts',
    find: "toErrorCode(space.cause) === 'EACCES'",
    replace: "toErrorCode(space.cause) === 'EPERM'",
    tests: ['collector/collectors/filesystem-selection'],
  },
  {
    why: 'counts a mount that cannot be reached at every scrape',
    file: 'collector/src/collectors/readers/dropped-mounts.ts',
    find: '!this.#current.has(mountpoint)',
    replace: "!this.#current.has(mountpoint) || mountpoint !== ''",
    tests: ['collector/collectors/filesystem-selection'],
  },
  {
    why: 'reports a share with blanks in its options as writable',
    file: 'collector/src/collectors/readers/mountinfo.ts',
    find: "isReadonly: options[0] === 'ro'",
    replace: "isReadonly: options.at(-1) === 'ro'",
    tests: ['collector/collectors/filesystem-selection'],
  },
  {
    why: 'has no series of the root of a device that runs on an overlay',
    file: 'collector/src/collectors/readers/mountinfo.ts',
    find: "((mountpoint === '/' && hasUpperDirectory) || !isExcluded(fstype))",
    replace: '!isExcluded(fstype)',
    tests: ['collector/collectors/filesystem-selection'],
  },
  {
    why: 'reports the root of ostree as /sysroot',
    file: 'collector/src/collectors/readers/mountinfo.ts',
    find: "return mountpoint === '/' ? 2 :",
    replace: "return mountpoint === '/' ? 0 :",
    tests: ['collector/collectors/filesystem-selection'],
  },
  {
    why: 'has five new series for every container that starts',
    file: 'collector/src/config.ts',
    find: '/.*/[0-9a-f]{64}/.* ',
    replace: '',
    tests: ['collector/collectors/filesystem-selection'],
  },
  {
    why: 'loses a core, and all of them, for a tick that went back',
    file: 'collector/src/collectors/readers/cpu-times.ts',
    find: 'back > forward * MAX_SHARE_BACK',
    replace: 'back > 0',
    tests: ['collector/collectors/cpu'],
  },
  {
    why: 'reports an idle core as busy when its idle time jumps back',
    file: 'collector/src/collectors/readers/cpu-times.ts',
    find: 'back > forward * MAX_SHARE_BACK',
    replace: 'back > forward + Infinity',
    tests: ['collector/collectors/cpu'],
  },
  {
    why: 'takes the jump of a core that goes offline for work of the others',
    file: 'collector/src/collectors/readers/cpu-times.ts',
    find: "(areSame && increases.has('all'))",
    replace: "increases.has('all')",
    tests: ['collector/collectors/cpu'],
  },
  {
    why: 'takes the zeros of lxcfs for the time of all cores',
    file: 'collector/src/collectors/readers/cpu-times.ts',
    find: 'totals === 1 && (',
    replace: 'totals > 0 && (',
    tests: ['collector/collectors/cpu'],
  },
  {
    why: 'reports the shared clock of old kernels once for each core',
    file: 'collector/src/collectors/readers/cpu-frequency.ts',
    find: 'exec(related)?.[0] ?? core',
    replace: 'exec(related)?.[1] ?? core',
    tests: ['collector/collectors/readers/cpu-frequency'],
  },
  {
    why: 'searches all cores of a virtual machine for clocks at every scrape',
    file: 'collector/src/collectors/readers/cpu-frequency.ts',
    find: 'if (this.#belowCores.among !== among)',
    replace: "if (this.#belowCores.among !== among || among !== '')",
    tests: ['collector/collectors/readers/cpu-frequency'],
  },
];
