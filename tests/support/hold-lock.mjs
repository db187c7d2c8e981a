// A process of its own that locks the database argv[2] by the statement argv[3], says "held", and holds the lock until its
// standard input ends.
import process from 'node:process';

import { openDatabase } from '../../shared/src/database/open.ts';

const database = openDatabase(process.argv[2]);
database.pragma('busy_timeout = 20000');
database.exec(process.argv[3]);
process.stdout.write('held\n');
process.stdin.resume();
process.stdin.once('end', () => {
  database.exec('ROLLBACK');
  database.close();
});
