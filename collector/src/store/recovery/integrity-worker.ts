import { parentPort, workerData } from 'node:worker_threads';

import { openDatabase } from '@thugshells/shared/database/open.ts';

import { findContentCorruption } from './integrity.ts';

/** The entry of the thread that BackgroundCheck starts: one answer, then it ends. */
const database = openDatabase(workerData as string, { readonly: true });
parentPort?.postMessage(findContentCorruption(database));
database.close();
