import { listWorst, stateWord, type DeviceStatus } from '../../health/device-status.ts';
import { clockTime, count, duration, percent, roughDuration } from '../../health/formatting.ts';
import { breakable, html, type Html } from './html.ts';
import { findAdvice } from './next-command.ts';

/** Commands that are named at most: a technician runs one after the other. */
const MAX_COMMANDS = 2;

/** Shows the state in words, with what is wrong and the next command to run. */
export function state(status: DeviceStatus): Html {
  const problems = findProblems(status);
  const texts = problems.map(({ name, text }) => html`${name}: ${breakable(text)}`);
  const word = html`<strong>${stateWord(status)}</strong>`;
  if (texts.length > 1)
    return html`<p>${word} </p><ul>${texts.map((text) => html`<li>${text}</li>`)}</ul>\n${commands(problems)}`;
  return html`<p>${word} <span>${texts[0] ?? breakable(headline(status))}</span></p>\n${commands(problems)}`;
}

interface Problem {
  readonly name: string;
  readonly text: string;
  readonly command?: string;
}

function findProblems(status: DeviceStatus): Problem[] {
  if (status.status === 'ok' || status.starting === true) return [];
  return listWorst(status).map((name) => ({ name, ...findAdvice(name, status.components[name]!) }));
}

function commands(problems: readonly Problem[]): Html | undefined {
  const named = [...new Set(problems.flatMap(({ command }) => command ?? []))].slice(0, MAX_COMMANDS);
  if (named.length === 0) return undefined;
  const codes = named.map((command, index) => html`${index > 0 ? ' and ' : ''}<code>${command}</code>`);
  return html`<p class="next">Next, run ${codes}</p>`;
}

/** Describes a state without problems: a backlog is named beside an ok, so that no part of the page denies another. */
function headline({ status, starting, reason, receiver, books, backlog, components, timestamp }: DeviceStatus): string {
  if (starting === true && receiver.reason !== '') return `no response from the receiver yet: ${receiver.reason}`;
  if (starting === true) {
    const waiting = Object.values(components).find((component) => component.status !== 'ok');
    return waiting === undefined ? 'waiting for the first upload' : findAdvice('', waiting).text;
  }
  if (status === 'ok' && backlog.done !== undefined) return `delivering a backlog of ${count(books.pending)} samples`;
  return receiver.last_success === undefined
    ? reason
    : `delivering, last success ${age(receiver.last_success, timestamp)}`;
}

/** Shows where samples go, the last success, what is pending and for how long there is space, and what was lost. */
export function delivery(status: DeviceStatus): Html {
  const { receiver, books, backlog, timestamp } = status;
  const facts = [
    receiver.address === undefined ? undefined : fact('Sends to', breakable(receiver.address), 'long'),
    fact('Last success', lastSuccess(receiver.last_success, timestamp)),
    fact('Pending', html`${plural(books.pending)} <small>${pendingNote(backlog)}</small>`),
    lost(books),
  ];
  return html`<dl class="facts">${facts.filter((each) => each !== undefined)}</dl>${progress(status)}`;
}

function fact(name: string, value: Html, kind = ''): Html {
  return html`<div class="${kind}"><dt>${name}</dt><dd>${value}</dd></div>`;
}

function plural(samples: number): string {
  return `${count(samples)} ${samples === 1 ? 'sample' : 'samples'}`;
}

function lastSuccess(at: string | undefined, now: string): Html {
  if (at === undefined) return html`never`;
  return html`${age(at, now)} <small>${clockTime(at, now)}</small>`;
}

function age(at: string, now: string): string {
  return `${duration((Date.parse(now) - Date.parse(at)) / 1000)} ago`;
}

function pendingNote({
  oldest_pending_age_seconds: oldest,
  held,
  space_seconds: space,
}: DeviceStatus['backlog']): string {
  return [
    ...(oldest === undefined ? [] : [`oldest ${duration(oldest)} old`]),
    ...(held === 0 ? [] : [`${count(held)} held until the clock is right`]),
    ...(space === undefined ? [] : [`space for ${roughDuration(space)}`]),
  ].join(', ');
}

function lost({ rejected, dropped }: DeviceStatus['books']): Html {
  if (rejected + dropped === 0) return fact('Lost', html`nothing`);
  const parts = [
    ...(rejected === 0 ? [] : [`${count(rejected)} rejected by the receiver`]),
    ...(dropped === 0 ? [] : [`${count(dropped)} dropped`]),
  ];
  return fact('Lost', html`${plural(rejected + dropped)} <small>${parts.join(', ')}</small>`, 'degraded');
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
