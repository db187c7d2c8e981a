import type { Answer } from './answer.ts';
import type { Fault, FaultPlan, Rejection } from './faults.ts';
import { parseImportLines, type Row } from './import-lines.ts';
import type { RequestBody } from './request-body.ts';
import type { LoggedRequest } from './request-log.ts';
import type { SampleStore } from './store.ts';

/** What an import needs besides its body. */
export interface ImportSurroundings {
  readonly store: SampleStore;
  readonly faults: FaultPlan;
  readonly nowMs: number;
  /** Told about lines that were dropped. */
  readonly onInvalidLines: (count: number) => void;
}

/** The usual answer to an import, and the fault that may change it. */
export interface ImportResult {
  readonly answer: Answer;
  readonly fault: Fault | undefined;
}

/** Stores what a body holds, as far as the plan of faults lets it, and notes in `logged` what that was. */
export function importBody(body: RequestBody, logged: LoggedRequest, around: ImportSurroundings): ImportResult {
  const { rows, invalidLines } = parseImportLines(body.text);
  around.onInvalidLines(invalidLines);
  Object.assign(logged, { bytes: body.bytes, samples: rows.length, ...timeRange(rows) });
  if (body.damage !== undefined) {
    logged.stored = around.store.add(rows, around.nowMs);
    return { answer: { status: body.damage.status, body: body.damage.message }, fault: undefined };
  }
  const fault = around.faults.take({ text: body.text, samples: rows.length, bytes: body.bytes });
  logged.stored = around.store.add(rowsToStore(rows, fault), around.nowMs);
  return { answer: usualAnswer(rows.length, fault), fault };
}

/** The rows that are stored under a fault, in body order. */
function rowsToStore(rows: readonly Row[], fault: Fault | undefined): readonly Row[] {
  if (fault?.cutConnection === true) return [];
  const store = fault?.store ?? (fault?.status !== undefined || fault?.hang === true ? 'nothing' : 'all');
  if (store === 'nothing') return [];
  const rejected = new Set(fault?.rejected?.map(({ index }) => index));
  const sound = rejected.size === 0 ? rows : rows.filter((_, index) => !rejected.has(index));
  const limit = store === 'half' ? Math.floor(rows.length / 2) : (fault?.accepted ?? rows.length);
  return sound.slice(0, limit);
}

function usualAnswer(samples: number, fault: Fault | undefined): Answer {
  if (fault?.accepted === undefined && fault?.rejected === undefined) return { status: 204 };
  const rejected: readonly Rejection[] | undefined = fault.rejected;
  const accepted = fault.accepted ?? samples - (rejected?.length ?? 0);
  const body = JSON.stringify(rejected === undefined ? { accepted } : { accepted, rejected });
  return { status: 200, body, headers: { 'Content-Type': 'application/json' } };
}

function timeRange(rows: readonly Row[]): Pick<LoggedRequest, 'oldestMs' | 'newestMs'> {
  if (rows.length === 0) return { oldestMs: null, newestMs: null };
  let oldestMs = Infinity;
  let newestMs = -Infinity;
  for (const { timestampMs } of rows) {
    oldestMs = Math.min(oldestMs, timestampMs);
    newestMs = Math.max(newestMs, timestampMs);
  }
  return { oldestMs, newestMs };
}
