import process from 'node:process';

import { loadCLibrary } from './c-library.ts';

/** What Node.js calls the work of libuv's threads that may take long or for ever: on files, and the look-up of a name. */
const THREAD_WORK = /^(FSReq|GetAddrInfoReq)/;

/**
 * Ends the process with an exit code, after everything that has to be written has been.
 *
 * exit(3) waits for libuv's threads. A read from a file system whose server is gone never returns to its thread: the
 * process would stay until it is killed. The C library asks a resolver that is gone for ten seconds and more. _exit(2) does
 * not wait; the kernel ends such calls with their process.
 */
export function endProcess(code: number): never {
  if (process.getActiveResourcesInfo().some((name) => THREAD_WORK.test(name))) {
    try {
      loadCLibrary().func<(status: number) => void>('void _exit(int)')(code);
    } catch {
      // No machine code for this platform: exit(3) ends what can be ended.
    }
  }
  process.exit(code);
}
