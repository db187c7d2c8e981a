import { AgentError } from '@thugshells/shared/errors.ts';
import { duration, DURATION_UNITS } from '@thugshells/shared/config/formats.ts';
import { suggest } from '@thugshells/shared/config/nearest.ts';
import type { OptionValue } from '@thugshells/shared/process/command-table.ts';

/** What `--from` and `--to` take. */
export const TIME: OptionValue = {
  name: 'TIME',
  forms: [
    ['2026-01-31T08:00Z', 'a date and a time; local without Z or an offset, such as +01:00'],
    ['2026-01-31', 'a date: its midnight, local'],
    ['2h', `two hours ago; units are ${DURATION_UNITS}`],
    ['1769846400', 'a Unix time in seconds or milliseconds'],
    ['now', 'the current time'],
  ],
  words: ['now'],
};

/**
 * Parses a time that somebody typed into Unix milliseconds. Dates and times without a zone are local.
 *
 * @throws AgentError BAD_USAGE
 */
export function parseTime(option: string, text: string, nowMs: number): number {
  const time = text === 'now' ? nowMs : (parseUnixTime(text) ?? parseDateTime(text) ?? parseAge(text, nowMs));
  if (time !== undefined) return time;
  const examples = TIME.forms.map(([example]) => example).join(', ');
  const guess = suggest(text, TIME.words ?? []);
  throw new AgentError(`invalid value for ${option}: ${text}: must be a time, such as ${examples}${guess}`, {
    code: 'BAD_USAGE',
  });
}

/** Returns the error of a range whose ends are exchanged, which is easily done with ages. */
export function toOrderError(action: string): AgentError {
  return new AgentError(`cannot ${action}: --from is later than --to`, {
    code: 'BAD_USAGE',
    hint: 'exchange them; an age is counted back from now: 2h is earlier than 1h',
  });
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
