/**
 * Loaded ahead of a program by node --import: each second it looks for garbage and writes what is left, and how
 * many descriptors are open, as a line of JSON to the file that MEMORY_REPORT names.
 */
import { appendFileSync, readdirSync } from 'node:fs';
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

const EVERY_MS = 1_000;

if (isMainThread) {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  setInterval(() => {
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    const descriptors = readdirSync('/proc/self/fd').length;
    appendFileSync(process.env['MEMORY_REPORT'], `${JSON.stringify({ heapUsed, external, descriptors })}\n`);
  }, EVERY_MS).unref();
}
