import type { SpaceLimits } from '../space/limits.ts';
import type { WalCheckpointer } from '../space/wal-checkpointer.ts';
import type { SampleWriter } from './sample-writer.ts';
import type { ScrapeBuffer } from './scrape-buffer.ts';

export interface CommitBufferOptions {
  readonly writer: SampleWriter;
  readonly wal: WalCheckpointer;
  readonly limits: Pick<SpaceLimits, 'walMaxBytes'>;
  /** Called when a single scrape has been committed as a trial; if undefined, there is no trial. */
  readonly onTrialCommitted?: (() => void) | undefined;
}

/**
 * Commits everything that is in the buffer, oldest first, in transactions of bounded size. What has been committed is
 * removed from the buffer, also if a later transaction fails.
 *
 * @throws AgentError WAL_STUCK when the WAL has reached its maximum and cannot be emptied
 * @throws SqliteError when the database cannot be written
 */
export function commitBuffer(
  buffer: ScrapeBuffer,
  { writer, wal, limits, onTrialCommitted }: CommitBufferOptions,
): void {
  const commitGroup = (maxSamples?: number): void => {
    const group = buffer.peek(maxSamples);
    writer.commit(group, buffer.loss);
    buffer.removeCommitted(group.length);
  };
  wal.checkpointIfDue();
  wal.requireSpace(limits.walMaxBytes);
  if (onTrialCommitted !== undefined) {
    // One scrape shows whether a failure is over; a larger trial would write thousands of rows to roll them back.
    commitGroup(0);
    onTrialCommitted();
  }
  while (!buffer.isEmpty) {
    commitGroup();
    wal.checkpointIfDue();
  }
}
