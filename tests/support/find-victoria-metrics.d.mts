/** Where to look; what is left out is this process's environment and the repository's var/tools. */
export interface WhereToLook {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly toolsDir?: string;
}

/** The path of a VictoriaMetrics that is already on this machine, if there is one. Downloads nothing. */
export function victoriaMetricsAtHand(where?: WhereToLook): Promise<string | undefined>;

/**
 * The path of a VictoriaMetrics, unpacked from Debian's package where none is on this machine. Rejects with the
 * command that gets one.
 */
export function findVictoriaMetrics(where?: WhereToLook): Promise<string>;
