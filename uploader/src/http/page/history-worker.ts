import { parentPort, workerData } from 'node:worker_threads';

import { toErrorMessage } from '@thugshells/shared/errors.ts';

import { HistoryReader } from './history-reader.ts';
import type { HistoryQuery } from './plots.ts';

/** A request: the history of a query until a time, or without a query the facts of the device. */
export interface PageRequest {
  readonly query?: HistoryQuery;
  readonly nowMs: number;
}

/** The result as JSON, or why there is none. */
export interface PageResponse {
  readonly json?: string;
  /** Whether more can be read at once. */
  readonly isCutShort?: boolean;
  readonly error?: string;
}

const reader = new HistoryReader(workerData as string);

function respond({ query, nowMs }: PageRequest): PageResponse {
  if (query === undefined) return { json: JSON.stringify(reader.readDevice() ?? null) };
  const history = reader.read(query, nowMs, () => performance.now());
  return { json: JSON.stringify(history), isCutShort: history.isCutShort };
}

parentPort?.on('message', (request: PageRequest) => {
  try {
    parentPort?.postMessage(respond(request));
  } catch (error) {
    parentPort?.postMessage({ error: toErrorMessage(error) });
  }
});
