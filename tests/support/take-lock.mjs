// A process of its own that takes the lock on the database argv[2] in the role argv[3], forgets it, collects its garbage, says
// "taken" or the error's code, message and hint in a line each, and holds the lock until it is ended.
import process from 'node:process';
import { setImmediate as turn } from 'node:timers/promises';

import { takeInstanceLock } from '../../shared/src/database/instance-lock.ts';

try {
  takeInstanceLock(process.argv[2], process.argv[3]);
  for (let times = 0; times < 3; times++) {
    await turn();
    globalThis.gc();
  }
  process.stdout.write('taken\n');
  process.stdin.resume();
} catch (error) {
  process.stdout.write(`${error.code}\n${error.message}\n${error.hint}\n`);
}
