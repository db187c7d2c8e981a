import type { DeviceStatus } from '../../health/device-status.ts';
import { clockTime, count, roughDuration } from '../../health/formatting.ts';
import { formatFields, formatTimes, LEVEL_STATUS, LEVEL_WORD, type JournalLine } from '../../health/journal-lines.ts';
import { breakable, html, type Html } from './html.ts';

/** The newest lines are shown, up to this many. */
const MAX_LINES = 10;

/** Shows the last warnings and errors of both programs. A script shows their times in the zone of the reader. */
export function journal({ journal: lines, timestamp }: DeviceStatus): Html {
  if (lines.length === 0) return html`<p class="quiet">No warnings or errors logged.</p>`;
  const rows = lines.slice(0, MAX_LINES).map((line) => row(line, timestamp));
  const older = lines.length - rows.length;
  const more =
    older > 0 ? html`<p class="quiet">${count(older)} older in <a href="/status.json">/status.json</a></p>` : undefined;
  return html`<table><thead><tr><th scope="col">Time</th><th scope="col">Message</th></tr></thead><tbody>${rows}</tbody></table>${more}`;
}

function row(line: JournalLine, now: string): Html {
  const { at, since, program, level, message, hint } = line;
  const times = formatTimes(line);
  const repeated = times === undefined ? undefined : html`<small>${times} since ${time(since, now)}</small>`;
  const fields = formatFields(line);
  return html`<tr><td>${age(at, now)}<small>${time(at, now)}</small></td><td class="message"><span class="dot ${LEVEL_STATUS[level]}">${LEVEL_WORD[level]}</span> ${program}: <b>${breakable(message)}</b>${small(fields)}${hint === undefined ? undefined : small(`hint: ${hint}`)}${repeated}</td></tr>`;
}

function small(text: string): Html | undefined {
  return text === '' ? undefined : html`<small>${breakable(text)}</small>`;
}

function time(at: string, now: string): Html {
  return html`<time datetime="${at}" data-local>${clockTime(at, now)} UTC</time>`;
}

/** Returns how long ago it was; nothing for a time of a clock that was ahead. */
function age(at: string, now: string): string {
  const seconds = (Date.parse(now) - Date.parse(at)) / 1000;
  return seconds < 0 ? '' : `${roughDuration(seconds)} ago`;
}
