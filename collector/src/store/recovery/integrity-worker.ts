import { parentPort, workerData } from 'node:worker_threads';

import { openDatabase } from '@thugshells/shared/database/open.ts';

import { findContentCorruption } from './integrity.ts';

/** Entry point of the thread that BackgroundCheck starts: it posts one message and ends. */
const database = openDatabase(workerData as string, { readonly: true });
parentPort?.postMessage(findContentCorruption(database));
database.close();
