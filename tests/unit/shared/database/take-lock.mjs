// A process of its own that takes the lock on the database argv[2] in the role argv[3], says "taken" or the error's
// code, and holds it until it is ended.
import process from 'node:process';

import { takeInstanceLock } from '../../../../shared/src/database/instance-lock.js';

try {
  takeInstanceLock(process.argv[2], process.argv[3]);
  process.stdout.write('taken\n');
  process.stdin.resume();
} catch (error) {
  process.stdout.write(`${error.code}\n`);
}
