import { observe, UPLOAD_BOUNDS_SECONDS } from '@thugshells/shared/metrics/histogram.ts';
import { NO_UPLOADS, type UploadCounts } from '@thugshells/shared/state/uploader-report.ts';

import type { SendResult } from '../transport/transport.ts';

/** Counts requests since this process started: as Prometheus expects of a counter, they begin at 0 with the process. */
export class UploadCounters {
  #counts: UploadCounts = NO_UPLOADS;

  /** The counts so far. */
  get counts(): UploadCounts {
    return this.#counts;
  }

  /** Counts the bytes of a request that carried nothing of the queue. */
  sentBeside(bytes: number): void {
    this.#counts = { ...this.#counts, bytesSent: this.#counts.bytesSent + bytes };
  }

  /** Counts one request that carried so many samples. */
  posted({ outcome, bytesSent, durationMs }: SendResult, samples: number): void {
    const { uploaded, failures, partial, ...before } = this.#counts;
    const accepted = outcome.kind === 'delivered' ? samples : outcome.kind === 'partial' ? outcome.accepted : 0;
    const hasFailed = outcome.kind !== 'delivered' && outcome.kind !== 'partial';
    this.#counts = {
      uploaded: uploaded + accepted,
      failures: failures + (hasFailed ? 1 : 0),
      partial: partial + (outcome.kind === 'partial' ? 1 : 0),
      bytesSent: before.bytesSent + bytesSent,
      durations: observe(before.durations, UPLOAD_BOUNDS_SECONDS, durationMs / 1000),
    };
  }
}
