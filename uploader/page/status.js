/**
 * Keeps the status page current: fetches it again, replaces what changed, and plots what was stored. The server renders
 * the whole page, so the page works without this script.
 */

import { drawAll, followTime } from './plots.js';

const REFRESH_MS = 5_000;
const HISTORY_MS = 15_000;
/** The older part of a long range is read in steps. */
const CONTINUE_MS = 700;
const TIMEOUT_MS = 8_000;

const byId = (id) => document.getElementById(id);
let updatedAt = Date.now();

async function get(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: 'no-store' });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response;
}

const twoDigits = { hour: '2-digit', minute: '2-digit', second: '2-digit' };

const toClock = (at) => at.toLocaleTimeString('en-GB', { ...twoDigits, timeZoneName: 'short' });

/** Shows the times that bear a zone in the reader's. */
function localizeTimes(page) {
  const toDay = (at) => at.toLocaleDateString('sv-SE');
  const today = toDay(new Date());
  for (const time of page.querySelectorAll('time[data-local]')) {
    const at = new Date(time.dateTime);
    time.textContent = toDay(at) === today ? toClock(at) : `${toDay(at)} ${toClock(at)}`;
  }
}

/** Replaces only elements that differ, so that a selection and the position of a screen reader stay. */
async function refresh() {
  const fresh = new DOMParser().parseFromString(await (await get('/')).text(), 'text/html');
  localizeTimes(fresh);
  for (const part of document.querySelectorAll('[data-live]')) {
    const newer = fresh.getElementById(part.id);
    if (!newer) continue;
    if (part.className !== newer.className) part.className = newer.className;
    if (part.innerHTML !== newer.innerHTML) part.replaceChildren(...newer.childNodes);
  }
  document.title = fresh.title;
  updatedAt = Date.now();
  showStale(false);
}

function showStale(isStale) {
  const note = byId('stale');
  if (isStale) {
    byId('stale-since').textContent = toClock(new Date(updatedAt));
    document.title = `out of date: ${document.title.replace(/^out of date: /, '')}`;
  }
  note.hidden = !isStale;
  document.body.classList.toggle('is-stale', isStale);
  document.querySelector('main').setAttribute('aria-busy', String(isStale));
}

// — Over time

/** A history that is shorter is that of a young device. */
const SHORTEST_RANGE_S = 3_600;
let lastHistory;
let hours = 1;
let continuing;
const partsShown = new Set();

const formatClock = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ');

function redraw() {
  if (lastHistory) drawAll(lastHistory, { partsShown, onToggle });
}

const historyPath = () => `/history.json?hours=${hours}&parts=${[...partsShown].join(',')}`;

async function refreshHistory() {
  const asked = historyPath();
  const history = await (await get(asked)).json();
  // Something else was chosen meanwhile, and may have been there before this.
  if (asked !== historyPath()) return;
  lastHistory = history;
  const isEmpty = history.plots.length === 0 && history.to - history.from < SHORTEST_RANGE_S;
  byId('plots-range').hidden = isEmpty;
  byId('plots-note').textContent = history.isCutShort
    ? `Samples from before ${formatClock(history.readFrom)} UTC are still being read.`
    : '';
  redraw();
  clearTimeout(continuing);
  if (history.isCutShort) continuing = setTimeout(() => void refreshHistory().catch(() => undefined), CONTINUE_MS);
}

function onToggle(id) {
  if (!partsShown.delete(id)) partsShown.add(id);
  void refreshHistory().catch(() => undefined);
}

byId('plots-range').addEventListener('change', ({ target }) => {
  hours = Number(target.value);
  void refreshHistory().catch(() => undefined);
});
followTime();

// — Refresh while the page is visible

localizeTimes(document);

/** Runs a task at an interval while the page is visible. */
function repeat(task, intervalMs, onFailure) {
  const run = async () => {
    if (!document.hidden) await task().catch(onFailure);
    setTimeout(run, intervalMs);
  };
  void run();
  document.addEventListener('visibilitychange', () => !document.hidden && void task().catch(onFailure));
}

repeat(refresh, REFRESH_MS, () => showStale(true));
repeat(refreshHistory, HISTORY_MS, () => undefined);
let resizing;
addEventListener('resize', () => {
  clearTimeout(resizing);
  resizing = setTimeout(redraw, 150);
});
