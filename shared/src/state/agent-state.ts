import type { HistogramState } from '../metrics/histogram.ts';
import type { Judgement, UploadCounts } from './uploader-report.ts';
import type { VerificationState } from './verification-state.ts';

/** The boots of the device that this database has seen. */
export interface BootCounts {
  readonly counted: number;
  /** How often the boot before had ended without the end of the collector. */
  readonly unclean: number;
  /** How the boot before this one ended; null if it is not known. */
  readonly wasLastClean: boolean | null;
}

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
  /** Undefined without verification in the background. */
  readonly verification?: VerificationState | undefined;
  readonly books: { readonly pending: number; readonly rejected: number; readonly dropped: number };
  /** Undefined while no boot was counted. */
  readonly boots: BootCounts | undefined;
  readonly databaseBytes: number;
  readonly walBytes: number;
  /** Of the last WAL checkpoint; null before the first. */
  readonly walCheckpointMs: number | null;
  readonly walReclaimedBytes: number;
}
