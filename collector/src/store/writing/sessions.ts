import type { Database } from '@thugshells/shared/database/open.ts';

import { countBoot } from './boots.ts';

/** What a session records of its process. */
export interface SessionMetadata {
  readonly version: string;
  readonly bootId: string | undefined;
  readonly kernel: string;
  readonly host: string;
}

/** Ended sessions beyond this number are deleted, oldest first. */
const KEPT_SESSIONS = 1_000;

/**
 * Opens this process's session. Sessions that a crash left active are marked failed, with the time of the last
 * scrape; the samples that follow belong to the new one. A session continues in a database that replaces the one in use: in a copy of it with the same first
 * sample, in one that replaces a corrupt one with the next, since ids are new there.
 *
 * @returns closes the session with its end
 */
export function openSession(
  database: Database,
  session: { readonly id: string; readonly nowMs: number; readonly metadata: SessionMetadata },
): (nowMs: number) => void {
  const open = database.transaction(() => {
    countBoot(database, { bootId: session.metadata.bootId, sessionId: session.id });
    database
      .prepare(
        `UPDATE sessions SET status = 'failed', end_time = MAX(start_time, (SELECT heartbeat FROM collector_state))
         WHERE status = 'active' AND id <> ?`,
      )
      .run(session.id);
    database
      .prepare(
        `INSERT INTO sessions (id, start_time, status, metadata, first_sample_id)
         VALUES (?, ?, 'active', ?, (SELECT last_id + 1 FROM collector_state))
         ON CONFLICT (id) DO UPDATE SET status = 'active', end_time = NULL,
           first_sample_id = IFNULL(first_sample_id, excluded.first_sample_id)`,
      )
      .run(session.id, session.nowMs, JSON.stringify(session.metadata));
    // Not by time: a session keeps naming its rows for as long as it has any.
    database
      .prepare(
        `DELETE FROM sessions WHERE status <> 'active' AND id NOT IN
         (SELECT id FROM sessions ORDER BY first_sample_id DESC LIMIT ?)`,
      )
      .run(KEPT_SESSIONS);
  });
  open.immediate();
  return (nowMs) => {
    database.prepare(`UPDATE sessions SET status = 'completed', end_time = ? WHERE id = ?`).run(nowMs, session.id);
  };
}
