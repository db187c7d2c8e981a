import process from 'node:process';

import { loadCLibrary } from './c-library.ts';

/** What Node.js calls an operation on a file that has not ended. */
const FILE_OPERATION = /^FSReq/;

/**
 * Ends the process with an exit code, after everything that has to be written has been.
 *
 * exit(3) waits for libuv's threads, and a read from a file system whose server is gone never returns to its thread: the
 * process would stay until it is killed. _exit(2) does not wait. The kernel ends such a read with its process.
 */
export function endProcess(code: number): never {
  if (process.getActiveResourcesInfo().some((name) => FILE_OPERATION.test(name))) {
    try {
      loadCLibrary().func<(status: number) => void>('void _exit(int)')(code);
    } catch {
      // No machine code for this platform: exit(3) ends what can be ended.
    }
  }
  process.exit(code);
}
