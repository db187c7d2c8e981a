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
];
