import { AgentError } from '@thugshells/shared/errors.ts';
import { duration } from '@thugshells/shared/config/formats.ts';

/** The options of commands that take a range of time. */
export const RANGE_OPTIONS = {
  '--from T': 'start of the time range: 2026-01-31T08:00Z, 2h (two hours ago) or now',
  '--to T': 'end of the time range, in the same formats',
};

const EXPECTED =
  'a time such as 2026-01-31T12:00:00Z, 2026-01-31, a Unix time in seconds or milliseconds, 2h for two hours ago, or now';

/**
 * Parses a time that somebody typed into Unix milliseconds. Dates and times without a zone are local.
 *
 * @throws AgentError BAD_USAGE
 */
export function parseTime(option: string, text: string, nowMs: number): number {
  const time = text === 'now' ? nowMs : (parseUnixTime(text) ?? parseDateTime(text) ?? parseAge(text, nowMs));
  if (time === undefined)
    throw new AgentError(`invalid value for ${option}: ${text}: must be ${EXPECTED}`, { code: 'BAD_USAGE' });
  return time;
}

function parseUnixTime(text: string): number | undefined {
  if (/^\d{9,10}$/.test(text)) return Number(text) * 1000;
  return /^\d{12,13}$/.test(text) ? Number(text) : undefined;
}

function parseDateTime(text: string): number | undefined {
  // A date alone means local midnight, like a time without a zone; Date.parse alone would take it as UTC.
  const time = /^\d{4}-\d\d-\d\d$/.test(text)
    ? Date.parse(`${text}T00:00:00`)
    : /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(text)
      ? Date.parse(text.replace(' ', 'T'))
      : NaN;
  return Number.isNaN(time) ? undefined : time;
}

function parseAge(text: string, nowMs: number): number | undefined {
  const agoMs = duration.parse(text);
  return agoMs === undefined ? undefined : nowMs - agoMs;
}
