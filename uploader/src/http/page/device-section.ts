import { bytes, count, duration } from '../../health/formatting.ts';
import type { DeviceFacts, FileSystemFact, LinkFact } from './device-facts.ts';
import { breakable, html, type Html } from './html.ts';

/** A file system with less than this share left is marked, as the alert does. */
const LOW_SHARE = 0.05;
/** What is above is the reading of an input that nothing is attached to, as the alerts know. */
const MAX_CELSIUS = 125;
/** The file systems and interfaces that are shown at most. */
const MAX_LINES = 8;

/** Shows what the device is and how it does; what is not collected is not shown. */
export function device(
  facts: DeviceFacts | undefined,
  agent: { readonly version: string; readonly nowMs: number },
): Html {
  if (facts === undefined) return html`<p class="quiet">Nothing is known of the device yet.</p>`;
  const { model, os, kernel, architecture, timeZone, isClockSynchronized, throttledBecause } = facts;
  const uptime = facts.uptimeSeconds;
  const platform = [kernel && `kernel ${kernel}`, architecture].filter((each) => each !== undefined).join(', ');
  const isOld = agent.nowMs - facts.atMs > 5 * 60_000;
  const shown = [
    fact('Model', model),
    fact('System', os, platform),
    fact(
      'Uptime',
      uptime === undefined ? undefined : duration(uptime),
      isOld ? 'when it was collected last' : undefined,
    ),
    fact('Temperature', temperatures(facts), throttling(throttledBecause)),
    fact('Clock', clockState(isClockSynchronized), timeZone),
    fact('Agent', `Thugshells ${agent.version}`),
  ];
  return html`<dl class="facts">${shown.filter((each) => each !== undefined)}</dl>
<div class="columns">${table('File system', 'Free', facts.fileSystems.map(fileSystem))}${table('Interface', 'Link', facts.links.map(link))}</div>`;
}

function fact(name: string, value: string | Html | undefined, note: string | Html = ''): Html | undefined {
  if (value === undefined) return undefined;
  const small = note === '' ? undefined : html` <small>${toHtml(note)}</small>`;
  return html`<div><dt>${name}</dt><dd>${toHtml(value)}${small}</dd></div>`;
}

function toHtml(text: string | Html): Html {
  return typeof text === 'string' ? breakable(text) : text;
}

function clockState(isSynchronized: boolean | undefined): string | Html | undefined {
  if (isSynchronized === undefined) return undefined;
  return isSynchronized ? 'synchronized' : html`<span class="dot degraded">not synchronized</span>`;
}

function temperatures({ temperatures: all }: DeviceFacts): string | undefined {
  const possible = all.filter(({ celsius }) => celsius < MAX_CELSIUS).sort((a, b) => b.celsius - a.celsius);
  const [hottest] = possible;
  return hottest === undefined ? undefined : `${hottest.celsius.toFixed(0)} °C, ${hottest.zone}`;
}

function throttling(reasons: readonly string[] | undefined): string | Html | undefined {
  if (reasons === undefined) return undefined;
  if (reasons.length === 0) return 'not throttled';
  return html`<span class="dot degraded">${breakable(`throttled: ${reasons.join(', ')}`)}</span>`;
}

function table(first: string, second: string, rows: readonly Html[]): Html | undefined {
  if (rows.length === 0) return undefined;
  const more = rows.length > MAX_LINES ? html`<p class="quiet">${count(rows.length - MAX_LINES)} more</p>` : undefined;
  return html`<div><table><thead><tr><th scope="col">${first}</th><th scope="col">${second}</th></tr></thead><tbody>${rows.slice(0, MAX_LINES)}</tbody></table>${more}</div>`;
}

function fileSystem({ mountpoint, sizeBytes, availableBytes, isReadonly }: FileSystemFact): Html {
  const isLow = availableBytes < LOW_SHARE * sizeBytes && !isReadonly;
  const free = html`${bytes(availableBytes)} of ${bytes(sizeBytes)}${isReadonly ? ', read-only' : ''}`;
  const text = isLow ? html`<span class="dot degraded">${free}</span>` : free;
  return html`<tr><th scope="row" class="message">${breakable(mountpoint)}</th><td>${text}</td></tr>`;
}

function link({ name, kind, isUp, hasDefaultRoute, signalDbm, addresses }: LinkFact): Html {
  const state = [
    ...(isUp === undefined ? [] : [isUp ? 'up' : 'down']),
    ...(kind === undefined ? [] : [kind]),
    ...(signalDbm === undefined ? [] : [`signal ${signalDbm} dBm`]),
    ...(hasDefaultRoute ? ['default route'] : []),
  ].join(', ');
  const lines = addresses.map((address) => html`<small>${breakable(address)}</small>`);
  return html`<tr><th scope="row" class="message">${breakable(name)}</th><td class="message">${state}${lines}</td></tr>`;
}
