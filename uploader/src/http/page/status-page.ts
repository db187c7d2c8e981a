import { breakable, html, type Html } from './html.ts';
import { bytes, clockTime, count, duration, percent, shortDuration, skew } from '../../health/formatting.ts';
import type { DeviceStatus, ReceiverLine, UploadLine } from '../../health/device-status.ts';

/** How often a browser without scripts reloads the page. */
const REFRESH_SECONDS = 10;
/** The newest uploads are shown, up to this many. */
const MAX_UPLOADS = 6;

/** Renders the status of a device as a page that works without scripts. Elements with an id and `data-live` change. */
export function statusPage(status: DeviceStatus): string {
  const { device_id: device, version } = status;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS}"></noscript>
<title>${device}: ${stateWord(status)}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/uplot.css">
<link rel="stylesheet" href="/assets/status.css">
<script src="/assets/uplot.js" defer></script>
<script src="/assets/status.js" type="module"></script>
</head>
<body>
<header>
<h1>${device}</h1>
<p id="stale" class="stale" role="alert" hidden></p>
<div id="overall" class="overall ${status.starting === true ? 'starting' : status.status}" data-live role="status">${overall(status)}</div>
</header>
<main>
<section aria-labelledby="samples-title" class="wide"><h2 id="samples-title">Samples</h2><div id="samples" data-live>${samples(status)}</div></section>
<section aria-labelledby="plots-title" class="wide"><h2 id="plots-title">Over time</h2><div id="plots" class="plots"><p class="quiet">Plots need JavaScript.</p></div></section>
<section aria-labelledby="parts-title"><h2 id="parts-title">Components</h2><div id="parts" data-live>${parts(status)}</div></section>
<section aria-labelledby="uploads-title"><h2 id="uploads-title">Last uploads</h2><div id="uploads" data-live>${uploads(status)}</div></section>
<section aria-labelledby="collectors-title"><h2 id="collectors-title">Collectors</h2><div id="collectors" data-live>${collectors(status)}</div></section>
<section aria-labelledby="budget-title"><h2 id="budget-title">Clock and disk</h2><div id="budget" data-live>${budget(status)}</div></section>
</main>
<footer><p id="foot" data-live>${foot(status)}</p><p>Thugshells ${version}. API: <a href="/health">/health</a> <a href="/metrics">/metrics</a> <a href="/status.json">/status.json</a></p></footer>
</body>
</html>
`.text;
}

function stateWord({ starting, status }: DeviceStatus): string {
  return starting === true ? 'starting' : status;
}

function overall(status: DeviceStatus): Html {
  return html`<strong>${stateWord(status)}</strong> <span>${breakable(headline(status))}</span>`;
}

/** Describes the state in a sentence: a backlog is named beside an ok, so that no part of the page denies another. */
function headline({ status, starting, reason, receiver, books, backlog, components }: DeviceStatus): string {
  if (starting === true && receiver.reason !== '') return `no response from the receiver yet: ${receiver.reason}`;
  if (starting === true) {
    const waiting = Object.values(components).find((component) => component.status !== 'ok');
    return waiting?.message ?? 'waiting for the first upload';
  }
  if (status === 'ok' && backlog.done !== undefined) return `delivering a backlog of ${count(books.pending)} samples`;
  return reason;
}

function samples(status: DeviceStatus): Html {
  const { books, backlog } = status;
  const { collected, delivered, pending, rejected, dropped } = books;
  const one = (name: string, value: number, kind = ''): Html =>
    html`<div class="${kind}"><dt>${name}</dt><dd>${count(value)}</dd></div>`;
  return html`<dl class="books">${[
    one('collected', collected),
    one('delivered', delivered),
    one('pending', pending, 'pending'),
    one('rejected', rejected, rejected > 0 ? 'degraded' : ''),
    one('dropped', dropped, dropped > 0 ? 'degraded' : ''),
  ]}</dl>
<p>${age(backlog)}</p>${progress(status)}`;
}

function age({ oldest_pending_age_seconds: seconds, held }: DeviceStatus['backlog']): string {
  if (seconds === undefined) return 'No samples are pending.';
  const oldest = `The oldest pending sample is ${duration(seconds)} old.`;
  return held === 0 ? oldest : `${oldest} ${count(held)} are held until the clock is right.`;
}

function progress({ backlog: { done, seconds_left: left }, receiver }: DeviceStatus): Html | undefined {
  if (done === undefined) return undefined;
  const text = `${percent(done)} of the backlog delivered`;
  // Without a speed there is no progress to show: an empty bar beside an ok would be another story.
  if (left === undefined) {
    if (receiver.condition !== 'taking') return undefined;
    return html`<p>${done > 0 ? `${text}. It` : 'The backlog'} does not shrink at the moment.</p>`;
  }
  const whole = `${text}, ${duration(left)} left`;
  return html`<div class="progress"><progress max="1" value="${done.toFixed(4)}" aria-label="${whole}"></progress><span>${whole}</span></div>`;
}

function parts({ components, timestamp }: DeviceStatus): Html {
  const rows = Object.entries(components)
    .filter(([name]) => !name.startsWith('collector.'))
    .map(
      ([name, { status, message, since }]) =>
        html`<tr><th scope="row" class="short">${name}</th><td class="short"><span class="dot ${status}">${status}</span></td><td class="message">${breakable(message)}<small>since ${clockTime(since, timestamp)}</small></td></tr>`,
    );
  return html`<table><thead><tr><th scope="col">Component</th><th scope="col">State</th><th scope="col">Details</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function uploads({ uploads: lines, receiver, timestamp }: DeviceStatus): Html {
  const current = currentFailure(receiver, lines, timestamp);
  if (lines.length === 0 && current === undefined) return html`<p class="quiet">No uploads yet.</p>`;
  const rows = lines.slice(0, MAX_UPLOADS).map(({ at, samples: sent, bytes: size, outcome, reason, times }) => {
    const state = { delivered: 'ok', partial: 'degraded', failed: 'error' }[outcome];
    const what =
      outcome === 'failed'
        ? html`<td colspan="2" class="message">${breakable(reason)}${times > 1 ? html` <small>${count(times)} times</small>` : undefined}</td>`
        : html`<td class="number">${count(sent)}</td><td class="number">${bytes(size)}</td>`;
    return html`<tr><td class="short">${clockTime(at, timestamp)}</td>${what}<td><span class="dot ${state}">${outcome}</span></td></tr>`;
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

function collectors({ components, timestamp }: DeviceStatus): Html {
  const rows = Object.entries(components)
    .filter(([name]) => name.startsWith('collector.'))
    .map(([name, { status, message, details }]) => {
      const at = clockTime(details['last_scrape'] as string | undefined, timestamp);
      return html`<tr><th scope="row" class="short">${name.slice('collector.'.length)}</th><td class="short">${at} <small>${shortDuration(Number(details['duration_ms']))}</small></td><td class="message"><span class="dot ${status}">${breakable(message)}</span></td></tr>`;
    });
  if (rows.length === 0) return html`<p class="quiet">No collector has stored samples yet.</p>`;
  return html`<table><thead><tr><th scope="col">Collector</th><th scope="col">Last scrape (UTC)</th><th scope="col">State</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function budget({ components, per_day: { sent_bytes: sent, written_bytes: written } }: DeviceStatus): Html {
  const { skew_ms: skewMs, skew_error_ms: error } = components['time']?.details ?? {};
  const clock =
    typeof skewMs === 'number'
      ? html`${skew(skewMs, Number(error))} <small>compared with the receiver</small>`
      : html`not compared yet`;
  const perDay = (value: number | undefined): Html =>
    value === undefined ? html`not known yet <small>in the first half hour</small>` : html`${bytes(value)}`;
  const { database_bytes: database, wal_bytes: wal } = components['storage']?.details ?? {};
  return html`<dl class="facts"><div><dt>Clock</dt><dd>${clock}</dd></div>
<div><dt>Sent per day</dt><dd>${perDay(sent)}</dd></div>
<div><dt>Written per day</dt><dd>${perDay(written)}</dd></div>
<div><dt>Database</dt><dd>${bytes(Number(database ?? 0))} <small>and ${bytes(Number(wal ?? 0))} WAL</small></dd></div></dl>`;
}

function foot({ timestamp, uptime_seconds: uptime }: DeviceStatus): Html {
  return html`As of <time datetime="${timestamp}">${timestamp.slice(0, 19).replace('T', ' ')}</time> UTC, like all times on this page. Uploader uptime ${duration(uptime)}.`;
}
