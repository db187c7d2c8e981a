import type { Database } from '@thugshells/shared/database/open.ts';

/**
 * Counts this boot if it is another one than the last that was counted, in the caller's transaction. The boot before ended
 * cleanly if the collector saw its own end in it; a session that is still active did not. Called before sessions of a crash are
 * marked.
 */
export function countBoot(
  database: Database,
  { bootId, sessionId }: { readonly bootId: string | undefined; readonly sessionId: string },
): void {
  if (bootId === undefined) return;
  database
    .prepare(
      `UPDATE boots SET
         counted = counted + 1,
         unclean = unclean + (boot_id IS NOT NULL AND left_active),
         last_clean = IIF(boot_id IS NULL, NULL, NOT left_active),
         boot_id = @bootId
       FROM (SELECT EXISTS (SELECT 1 FROM sessions WHERE status = 'active' AND id <> @sessionId) AS left_active)
       WHERE boot_id IS NOT @bootId`,
    )
    .run({ bootId, sessionId });
}
