import type { JournalEntry, JournalFields } from '@thugshells/shared/logging/journal.ts';
import { formatTime } from '@thugshells/shared/state/stored-values.ts';

import type { Journals } from '../telemetry/snapshot.ts';
import type { HealthStatus } from './component-health.ts';
import { count } from './formatting.ts';

/** A warning or an error of one of the programs. */
export interface JournalLine {
  /** When it was logged last, RFC 3339. */
  readonly at: string;
  /** When it was logged first. */
  readonly since: string;
  readonly program: keyof Journals;
  readonly level: JournalEntry['level'];
  readonly message: string;
  readonly fields: JournalFields;
  /** What to do about it. */
  readonly hint?: string;
  readonly times: number;
}

/** The status that a line is shown with, by its level, and the word for it. */
export const LEVEL_STATUS: Readonly<Record<JournalLine['level'], HealthStatus>> = { error: 'error', warn: 'degraded' };
export const LEVEL_WORD: Readonly<Record<JournalLine['level'], string>> = { error: 'error', warn: 'warning' };

/** Returns the lines of both programs, the newest first. */
export function toJournalLines({ collector, uploader }: Journals): JournalLine[] {
  return sortLines([...toLines('collector', collector), ...toLines('uploader', uploader)]);
}

/** Returns lines that were known, with those of the uploader as they are now. */
export function refreshJournal(known: readonly JournalLine[], uploader: Journals['uploader']): JournalLine[] {
  return sortLines([...known.filter(({ program }) => program === 'collector'), ...toLines('uploader', uploader)]);
}

/** Formats the fields of a line for people: `file=a.prom error=not a number` */
export function formatFields({ fields }: Pick<JournalLine, 'fields'>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

/** Formats how often a line was logged; undefined for once. */
export function formatTimes({ times }: Pick<JournalLine, 'times'>): string | undefined {
  return times > 1 ? `${count(times)} times` : undefined;
}

/** @param entries the oldest first; the lines are in reverse, also if their times are equal */
function toLines(program: keyof Journals, entries: readonly JournalEntry[]): JournalLine[] {
  return entries.toReversed().map(({ atMs, sinceMs, level, message, fields: { hint, ...fields }, times }) => ({
    ...{ at: formatTime(atMs), since: formatTime(sinceMs), program, level, message, fields },
    ...(hint === undefined ? {} : { hint: String(hint) }),
    times,
  }));
}

function sortLines(lines: readonly JournalLine[]): JournalLine[] {
  return lines.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
}
