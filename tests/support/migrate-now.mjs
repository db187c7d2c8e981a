// A process of its own that says "here", waits for a line, and then makes the database argv[2] the collector's; prints
// the versions it migrated from and to, or the error.
import process from 'node:process';
import { once } from 'node:events';

import { migrate } from '../../shared/src/database/migrate.ts';
import { openDatabase } from '../../shared/src/database/open.ts';

process.stdout.write('here\n');
await once(process.stdin, 'data');
const database = openDatabase(process.argv[2]);
const { from, to } = migrate(database);
database.close();
process.stdout.write(`${from} to ${to}\n`);
process.exit(0);
