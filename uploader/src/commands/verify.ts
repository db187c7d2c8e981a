import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError, toExitCode } from '@thugshells/shared/errors.ts';
import type { GivenOptions } from '@thugshells/shared/process/command-line.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';

import type { UploaderConfig } from '@thugshells/shared/config/uploader-config.ts';
import { RowReader } from '../encoding/rows/row-reader.ts';
import { DeliveredRows } from '../queue/delivered-rows.ts';
import { Requeue } from '../queue/requeue.ts';
import type { TimeSlice } from '../queue/rows-by-time.ts';
import { SettledRanges } from '../queue/settled-ranges.ts';
import { Credentials } from '../transport/credentials.ts';
import { QueryClient } from '../transport/query-client.ts';
import { ReceiverSamples } from '../verification/receiver-samples.ts';
import { SeriesCatalog } from '../verification/series-catalog.ts';
import { SETTLING_MS } from '../verification/verification-limits.ts';
import { VerificationReport } from '../verification/verification-report.ts';
import { Verifier } from '../verification/verifier.ts';
import type { Surroundings } from '../surroundings.ts';
import { parseTime, toOrderError } from './time-argument.ts';
import { whileDatabaseOpen } from './with-database.ts';

export interface VerifyCommandOptions {
  readonly clock: Clock;
  readonly config: UploaderConfig;
  readonly surroundings: Surroundings;
  /** Shows how far it is; undefined where nobody looks. */
  readonly showProgress?: ((text: string) => void) | undefined;
}

const EXIT_MISSING = 1;

/**
 * Compares what was delivered with what the receiver returns. Both programs may run meanwhile. What is missing is requeued
 * slice by slice, as it is found: a kill in between leaves the rest as it was.
 *
 * @returns exit code 0 if nothing is missing, 1 if something is, 3 if the receiver cannot be read
 * @throws AgentError BAD_USAGE, RECEIVER_UNREADABLE, DATABASE_NOT_READY, DATABASE_TOO_NEW or SQLITE_TOO_OLD
 */
export async function verifyCommand(options: VerifyCommandOptions, given: GivenOptions): Promise<CommandResult> {
  const { clock, config, surroundings } = options;
  const range = parseRange(given, clock.now());
  const credentials = new Credentials({ ...config, credentialsDirectory: surroundings.credentialsDirectory });
  const client = new QueryClient({ ...config, clock, credentials, proxyFor: surroundings.proxyFor });
  try {
    return await whileDatabaseOpen(config.dbPath, async (database) => {
      const requeue = given.has('--requeue') ? new Requeue(database, new SettledRanges(database)) : undefined;
      const rows = new DeliveredRows(database);
      const catalog = new SeriesCatalog(new RowReader(database));
      const report = new VerificationReport(range, client.address);
      const error = await verify({ ...options, client, rows, catalog, requeue, report });
      const problems = error === undefined ? [] : [[error.message, error.hint].filter(Boolean).join('; ')];
      const exitCode = error === undefined ? (report.missing > 0 ? EXIT_MISSING : 0) : toExitCode(error);
      const isRequeued = requeue !== undefined;
      const text = given.has('--json') ? report.toJson(isRequeued) : report.toText(isRequeued, error === undefined);
      return { text, problems, exitCode };
    });
  } finally {
    client.close();
  }
}

interface VerifyParts extends VerifyCommandOptions {
  readonly client: QueryClient;
  readonly rows: DeliveredRows;
  readonly catalog: SeriesCatalog;
  readonly requeue: Requeue | undefined;
  readonly report: VerificationReport;
}

/** Returns the error if the receiver cannot be read. */
async function verify(parts: VerifyParts): Promise<AgentError | undefined> {
  const { clock, client, rows, catalog, requeue, report, showProgress } = parts;
  const { signal } = new AbortController();
  const { final, provisional } = rows.readDelivered();
  const flags = await client.readFlags(signal);
  const judged = limitRange(report, flags?.retentionMs, clock.now());
  if (provisional.length > 0) report.leaveOut('delivered within the last seconds and not confirmed yet');
  const receiver = new ReceiverSamples(client);
  const verifier = new Verifier({ clock, rows, catalog, receiver, delivered: final, dedupMs: flags?.dedupMs ?? 0 });
  const lengthMs = judged.throughMs - judged.afterMs;
  try {
    for await (const result of verifier.verify(judged, signal)) {
      const requeued = requeue?.requeueIds(result.missing.flatMap(({ ids }) => ids)) ?? 0;
      report.add(result, requeued);
      const share = (result.slice.throughMs - judged.afterMs) / lengthMs;
      showProgress?.(`${Math.floor(100 * Math.min(1, share))} % verified, ${report.missing} samples missing`);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return error;
  } finally {
    showProgress?.('');
  }
}

/** Leaves out what cannot be judged: the newest seconds, and what the receiver's retention has deleted. */
function limitRange(report: VerificationReport, retentionMs: number | undefined, nowMs: number): TimeSlice {
  const { range } = report;
  const throughMs = Math.min(range.throughMs, nowMs - SETTLING_MS);
  if (throughMs < range.throughMs)
    report.leaveOut('newest seconds: the receiver may not show them yet', throughMs, range.throughMs);
  const keptAfterMs = nowMs - (retentionMs ?? Infinity);
  if (keptAfterMs > range.afterMs)
    report.leaveOut('older than the retention of the receiver', range.afterMs, Math.min(keptAfterMs, range.throughMs));
  return { afterMs: Math.max(range.afterMs, keptAfterMs), throughMs };
}

function parseRange(given: GivenOptions, nowMs: number): TimeSlice {
  const [from, to] = [given.value('--from'), given.value('--to')];
  if (from === undefined || to === undefined)
    throw new AgentError('cannot verify: --from and --to are both required', {
      code: 'BAD_USAGE',
      hint: 'for example, run: thugshells-uploader verify --from 24h --to now',
    });
  const range = { afterMs: parseTime('--from', from, nowMs) - 1, throughMs: parseTime('--to', to, nowMs) };
  if (range.afterMs >= range.throughMs) throw toOrderError('verify');
  return range;
}
