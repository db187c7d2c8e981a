import type { HistogramState } from '../metrics/histogram.ts';
import type { Judgement, UploadCounts } from './uploader-report.ts';

/** What both programs counted of themselves, as it stands in the database. */
export interface AgentState {
  readonly collectors: readonly {
    readonly collector: string;
    readonly collected: number;
    readonly failed: number;
    readonly durations: HistogramState;
  }[];
  /** Undefined until the uploader has run. */
  readonly uploads: UploadCounts | undefined;
  /** Undefined until the uploader has judged the device's health. */
  readonly judgement: Judgement | undefined;
  readonly books: { readonly pending: number; readonly rejected: number; readonly dropped: number };
  readonly databaseBytes: number;
  readonly walBytes: number;
  /** Of the last WAL checkpoint; null before the first. */
  readonly walCheckpointMs: number | null;
  readonly walReclaimedBytes: number;
}
