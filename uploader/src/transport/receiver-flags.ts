/** Which samples a VictoriaMetrics accepts and keeps, by its flags. */
export interface ReceiverFlags {
  /** -retentionPeriod in milliseconds: what is older is dropped, with a 204. */
  readonly retentionMs: number | undefined;
  /** From this age on, in milliseconds, what arrives is dropped, with a 204: the retention, or -maxBackfillAge if shorter. */
  readonly acceptedAgeMs: number | undefined;
  /** -dedup.minScrapeInterval in milliseconds: of a series, one sample is kept in each such interval; 0: all are. */
  readonly dedupMs: number;
}

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  // A month, which is also what a number without a unit counts (lib/flagutil/duration.go).
  M: 31 * 86_400_000,
  y: 365 * 86_400_000,
};

/** VictoriaMetrics does not start with a shorter one. */
const MIN_RETENTION_MS = 86_400_000;

/** Pages of VictoriaMetrics with its flags, the better one first: of 1.151, `/flags` has only those that were set. */
export const FLAG_PAGES = ['metrics', 'flags'] as const;

/**
 * Parses a page of FLAG_PAGES: `flag{name="retentionPeriod", value="1M", is_set="false"} 1` or `-retentionPeriod="1d"`. Returns
 * undefined for any other page, and for that of a process that stores nothing, such as vmauth and vminsert.
 */
export function parseFlags(text: string): ReceiverFlags | undefined {
  const read = (name: string): string | undefined =>
    new RegExp(`^(?:-${name}=|flag\\{name="${name}", *value=)"([^"]*)"`, 'm').exec(text)?.[1];
  if (read('storageDataPath') === undefined) return undefined;
  const retentionMs = parseRetention(read('retentionPeriod') ?? '');
  const backfillMs = parseRetention(read('maxBackfillAge') ?? '') || Infinity;
  const isPlausible = retentionMs !== undefined && retentionMs >= MIN_RETENTION_MS;
  const acceptedAgeMs = isPlausible ? Math.min(retentionMs, backfillMs) : undefined;
  return { retentionMs, acceptedAgeMs, dedupMs: parseGoDuration(read('dedup\\.minScrapeInterval') ?? '') ?? 0 };
}

/** Parses `1d`, `100y`, `1M`, and `1`, which are months. */
function parseRetention(text: string): number | undefined {
  return parseGoDuration(/^[\d.]+$/.test(text) ? `${text}M` : text);
}

/** Parses `1d`, `90s`, `1m30s`, `1M` and `0s`. */
function parseGoDuration(text: string): number | undefined {
  if (!/^([\d.]+(ms|[smhdwMy]))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/([\d.]+)(ms|[smhdwMy])/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * unitsMs[unit!]!, 0);
}
