import { stateWord, type DeviceStatus } from '../../health/device-status.ts';
import { duration } from '../../health/formatting.ts';
import type { DeviceFacts } from './device-facts.ts';
import { device as deviceSection } from './device-section.ts';
import { html, type Html } from './html.ts';
import { journal } from './journal-section.ts';
import { RANGES_HOURS } from './plots.ts';
import { budget, collectors, parts, samples, uploads } from './tables.ts';
import { delivery, state } from './top-sections.ts';

/** How often a browser without scripts reloads the page. */
const REFRESH_SECONDS = 10;

/** Is shown by the script when the uploader does not respond. */
const STALE_NOTE = html`<div id="stale" class="stale" role="alert" hidden><p><strong>out of date</strong> no response from the uploader since <span id="stale-since"></span>; what follows was so then</p>
<p class="next">If the device can be reached, run there <code>systemctl status thugshells-uploader</code></p></div>`;

/** Renders the status of a device as a page that works without scripts. Elements with an id and `data-live` change. */
export function statusPage(status: DeviceStatus, facts?: DeviceFacts): string {
  const { device_id: device, version } = status;
  const agent = { version, nowMs: Date.parse(status.timestamp) };
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS}"></noscript>
<title>${device}: ${stateWord(status)}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/status.css">
<script src="/assets/status.js" type="module"></script>
</head>
<body>
<header>
<h1>${device}</h1>
${STALE_NOTE}
<div id="overall" class="overall ${stateWord(status)}" data-live role="status">${state(status)}</div>
</header>
<main>
${section('delivery', 'Delivery', delivery(status), 'wide')}
${section('device', 'Device', deviceSection(facts, agent), 'wide')}
${plots()}
${section('journal', 'Journal', journal(status), 'wide')}
${details(status)}
</main>
<footer><p id="foot" data-live>${foot(status)}</p><p>Thugshells ${version}. API: <a href="/health">/health</a> <a href="/metrics">/metrics</a> <a href="/status.json">/status.json</a></p></footer>
</body>
</html>
`.text;
}

/** Builds the sections of components, uploads, samples and budgets, in two columns on a wide screen. */
function details(status: DeviceStatus): Html {
  return html`<div class="stack">
${section('parts', 'Components', parts(status))}
${section('collectors', 'Collectors', collectors(status))}
</div>
<div class="stack">
${section('uploads', 'Last uploads', uploads(status))}
${section('samples', 'Samples', samples(status))}
${section('budget', 'Clock and disk', budget(status))}
</div>`;
}

/** Builds the section of the plots, which a script draws. */
function plots(): Html {
  const ranges = RANGES_HOURS.map(
    (hours, index) =>
      html`<label><input type="radio" name="hours" value="${hours}"${index === 0 ? html` checked` : undefined}><span>${hours} h</span></label>`,
  );
  return html`<section aria-labelledby="plots-title" class="wide"><div class="plots-head"><h2 id="plots-title">Over time</h2>
<fieldset id="plots-range" class="ranges" hidden><legend>Range</legend>${ranges}</fieldset><output id="plots-time"></output></div>
<p id="plots-note" class="quiet" role="status"></p>
<div id="plots" class="plots" tabindex="0" role="group" aria-label="Plots; the arrow keys move the time that is read"><p class="quiet">Plots need JavaScript.</p></div></section>`;
}

/** Builds a section whose content changes. */
function section(id: string, title: string, content: Html, kind = ''): Html {
  return html`<section aria-labelledby="${id}-title" class="${kind}"><h2 id="${id}-title">${title}</h2><div id="${id}" data-live>${content}</div></section>`;
}

function foot({ timestamp, uptime_seconds: uptime }: DeviceStatus): Html {
  return html`As of <time datetime="${timestamp}">${timestamp.slice(0, 19).replace('T', ' ')}</time> UTC, like all times on this page without a zone. Uploader uptime ${duration(uptime)}.`;
}
