/** Mutations of the way of a log line to its reader. */

/** @type {import('../mutation.mjs').Mutation[]} */
export const logging = [
  {
    why: 'ends with the disk of its log',
    file: 'shared/src/logging/log-output.ts',
    find: "if (toErrorCode(error) === 'EAGAIN') return void this.#retry();",
    replace:
      "if (toErrorCode(error) === 'EAGAIN') return void this.#retry();\n      if (toErrorCode(error) === 'ENOSPC') throw error;",
    tests: ['shared/logging/log-output'],
  },
  {
    why: 'keeps every line for a reader that has stopped: the memory fills',
    file: 'shared/src/logging/log-output.ts',
    find: 'if (isFull || this.#lost !== undefined)',
    replace: 'if (this.#lost !== undefined)',
    tests: ['shared/logging/log-output'],
  },
  {
    why: 'forgets how many lines were lost when the count itself cannot be written',
    file: 'shared/src/logging/log-output.ts',
    find: 'if (again !== undefined) this.#lost = { ...lost, error: again.error };',
    replace: 'if (again !== undefined) this.#lost = { ...again, error: again.error };',
    tests: ['shared/logging/log-output'],
  },
  {
    why: 'loses the rest of a line that the pipe took in part',
    file: 'shared/src/logging/log-output.ts',
    find: 'if (this.#isPartWritten) this.#pending[0] = first.subarray(written);',
    replace: 'if (this.#isPartWritten && first.length === 0) this.#pending[0] = first.subarray(written);',
    tests: ['shared/logging/log-output'],
  },
  {
    why: 'shows C1 controls raw: 0x9b begins an escape sequence as ESC [ does',
    file: 'shared/src/printable.ts',
    find: 'const UNPRINTABLE = /[\\p{Cc}',
    replace: 'const UNPRINTABLE = /[\\u0000-\\u001f',
    tests: ['shared/printable'],
  },
  {
    why: 'shows texts of others raw in the log of a terminal',
    file: 'shared/src/logging/logger.ts',
    find: 'return escapeControls(text.length > MAX_FIELD_LENGTH',
    replace: 'return String(text.length > MAX_FIELD_LENGTH',
    tests: ['shared/logging/logger'],
  },
  {
    why: 'puts a Location of any length into log, health and database',
    file: 'uploader/src/transport/response-outcome.ts',
    find: "toExcerpt(location ?? 'nowhere', MAX_LOCATION_LENGTH)",
    replace: "toExcerpt(location ?? 'nowhere', 100_000)",
    tests: ['uploader/transport/response-outcome'],
  },
  {
    why: 'prints the names of rejected samples raw',
    file: 'uploader/src/commands/quarantine.ts',
    find: 'return toExcerpt(`#${id} ${sample}',
    replace: 'return String(`#${id} ${sample}',
    tests: ['uploader/commands/quarantine'],
  },
  {
    why: 'shows a key in the address, since it takes every parameter for public',
    file: 'shared/src/config/load-config.ts',
    find: 'isPublicParameter(name) ? pair',
    replace: "name !== 'none' ? pair",
    tests: ['shared/config/load-config'],
  },
  {
    why: 'shows a key that stands in an address without a name',
    file: 'shared/src/config/load-config.ts',
    find: 'name.length < MIN_NAME_LENGTH ? pair',
    replace: "name !== '' ? pair",
    tests: ['shared/config/load-config'],
  },
  {
    why: 'checks the variables of the other program in vain',
    file: 'shared/src/config/check-config.ts',
    find: 'if (errors.length > 0 ||',
    replace: 'if (errors.length > 1 ||',
    tests: ['shared/config/check-config'],
  },
  {
    why: 'fails the collector for an address that its unit does not get',
    file: 'shared/src/config/check-config.ts',
    find: 'if (hasAddress && uploader !== undefined)',
    replace: 'if (uploader !== undefined)',
    tests: ['shared/config/check-config'],
  },
];
