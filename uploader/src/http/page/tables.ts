import { OUTCOME_STATUS, type DeviceStatus, type ReceiverLine, type UploadLine } from '../../health/device-status.ts';
import { bytes, clockTime, count, shortDuration, skew } from '../../health/formatting.ts';
import { breakable, html, type Html } from './html.ts';
import { findAdvice } from './next-command.ts';

/** The newest uploads are shown, up to this many. */
const MAX_UPLOADS = 6;

/** Shows each component with its message. */
export function parts({ components, timestamp }: DeviceStatus): Html {
  const rows = Object.entries(components)
    .filter(([name]) => !name.startsWith('collector.'))
    .map(([name, { status, reason, message, since }]) => {
      const word = reason === 'starting' ? reason : status;
      return html`<tr><th scope="row" class="short">${name} <span class="dot ${word}">${word}</span></th><td class="message">${breakable(message)}<small>since ${clockTime(since, timestamp)}</small></td></tr>`;
    });
  return html`<table><thead><tr><th scope="col">Component</th><th scope="col">Details</th></tr></thead><tbody>${rows}</tbody></table>`;
}

/** Shows the last uploads, and the failure that is being repeated. */
export function uploads({ uploads: lines, receiver, timestamp }: DeviceStatus): Html {
  const current = currentFailure(receiver, lines, timestamp);
  if (lines.length === 0 && current === undefined) return html`<p class="quiet">No uploads yet.</p>`;
  const rows = lines.slice(0, MAX_UPLOADS).map(({ at, samples: sent, bytes: size, outcome, reason, times }) => {
    const what =
      outcome === 'failed'
        ? html`<td colspan="2" class="message">${breakable(reason)}${times > 1 ? html` <small>${count(times)} times</small>` : undefined}</td>`
        : html`<td class="number">${count(sent)}</td><td class="number">${bytes(size)}</td>`;
    return html`<tr><td class="short">${clockTime(at, timestamp)}</td>${what}<td><span class="dot ${OUTCOME_STATUS[outcome]}">${outcome}</span></td></tr>`;
  });
  return html`<table><thead><tr><th scope="col">Time (UTC)</th><th scope="col" class="number">Samples</th><th scope="col" class="number">Size</th><th scope="col">Outcome</th></tr></thead><tbody>${current}${rows}</tbody></table>`;
}

/** Describes a failure that is repeated, and is no upload that has ended yet; undefined if there is none. */
function currentFailure(
  { condition, reason, since, next_attempt: next }: ReceiverLine,
  lines: readonly UploadLine[],
  now: string,
): Html | undefined {
  const isListed = lines[0]?.outcome === 'failed' && lines[0].reason === reason;
  if (condition === 'taking' || reason === '' || isListed) return undefined;
  const again = next === undefined ? undefined : html` <small>next attempt ${clockTime(next, now)}</small>`;
  return html`<tr><td class="short">${clockTime(since, now)}</td><td colspan="2" class="message">${breakable(reason)}${again}</td><td><span class="dot error">failing</span></td></tr>`;
}

/** Shows each collector with its last scrape. */
export function collectors({ components, timestamp }: DeviceStatus): Html {
  const rows = Object.entries(components)
    .filter(([name]) => name.startsWith('collector.'))
    .map(([name, health]) => {
      const { status, details } = health;
      const at = clockTime(details['last_scrape'] as string | undefined, timestamp);
      return html`<tr><th scope="row" class="short">${name.slice('collector.'.length)}</th><td class="short">${at} <small>${shortDuration(Number(details['duration_ms']))}</small></td><td class="message"><span class="dot ${status}">${breakable(findAdvice(name, health).text)}</span></td></tr>`;
    });
  if (rows.length === 0) return html`<p class="quiet">No collector has stored samples yet.</p>`;
  return html`<table><thead><tr><th scope="col">Collector</th><th scope="col">Last scrape (UTC)</th><th scope="col">State</th></tr></thead><tbody>${rows}</tbody></table>`;
}

/** Shows the books. */
export function samples({ books: { collected, delivered, pending, rejected, dropped } }: DeviceStatus): Html {
  const counts = Object.entries({ collected, delivered, pending, rejected, dropped }).map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${count(value)}</dd></div>`,
  );
  return html`<dl class="facts">${counts}</dl>`;
}

/** Shows the clock and the budgets. */
export function budget({ components, per_day: { sent_bytes: sent, written_bytes: written } }: DeviceStatus): Html {
  const { skew_ms: skewMs, skew_error_ms: error } = components['time']?.details ?? {};
  const clock =
    typeof skewMs === 'number'
      ? html`${skew(skewMs, Number(error))} <small>compared with the receiver</small>`
      : html`not compared yet`;
  const perDay = (value: number | undefined): Html =>
    value === undefined ? html`not known yet <small>known after half an hour</small>` : html`${bytes(value)}`;
  const { database_bytes: database, wal_bytes: wal } = components['storage']?.details ?? {};
  return html`<dl class="facts"><div><dt>Clock</dt><dd>${clock}</dd></div>
<div><dt>Sent per day</dt><dd>${perDay(sent)}</dd></div>
<div><dt>Written per day</dt><dd>${perDay(written)}</dd></div>
<div><dt>Database</dt><dd>${bytes(Number(database ?? 0))} <small>and ${bytes(Number(wal ?? 0))} WAL</small></dd></div></dl>`;
}
