import { parentPort, workerData } from 'node:worker_threads';

import { toErrorMessage } from '@thugshells/shared/errors.ts';

import { HistoryReader } from './history-reader.ts';

/** For each time it receives, returns the hour before it as JSON. */
const reader = new HistoryReader(workerData as string);
parentPort?.on('message', (nowMs: number) => {
  try {
    parentPort?.postMessage({ json: JSON.stringify(reader.read(nowMs, () => performance.now())) });
  } catch (error) {
    parentPort?.postMessage({ error: toErrorMessage(error) });
  }
});
