/**
 * Keeps the status page current: fetches it again, replaces what changed, and plots the last hour. The server renders
 * the whole page, so the page works without this script.
 */

const REFRESH_MS = 5_000;
const HISTORY_MS = 15_000;
const TIMEOUT_MS = 8_000;
const PLOT_HEIGHT = 110;
const HOUR_S = 3_600;

const units = {
  percent: (value) => `${value.toFixed(value > 0 && value < 10 ? 1 : 0)} %`,
  count: (value) => Math.round(value).toLocaleString('en-US'),
  celsius: (value) => `${value.toFixed(0)} °C`,
  none: (value) => value.toLocaleString('en-US', { maximumFractionDigits: 2 }),
  bytes: (value) => scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']),
  bytes_per_second: (value) => scaled(value, 1000, ['B/s', 'kB/s', 'MB/s', 'GB/s']),
};

function scaled(value, base, names) {
  const step = value < base ? 0 : Math.min(names.length - 1, Math.floor(Math.log(value) / Math.log(base)));
  const size = value / base ** step;
  return `${size >= 9.95 || step === 0 ? size.toFixed(0) : size.toFixed(1)} ${names[step]}`;
}

const byId = (id) => document.getElementById(id);
let updatedAt = Date.now();

async function get(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: 'no-store' });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response;
}

/** Replaces only elements that differ, so that a selection and the position of a screen reader stay. */
async function refresh() {
  const fresh = new DOMParser().parseFromString(await (await get('/')).text(), 'text/html');
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
  const since = new Date(updatedAt).toLocaleTimeString();
  if (isStale) {
    note.textContent = `No response from the uploader since ${since} (time of this browser). What follows was so then, and is out of date. Run: systemctl status thugshells-uploader`;
    document.title = `out of date: ${document.title.replace(/^out of date: /, '')}`;
  }
  note.hidden = !isStale;
  document.body.classList.toggle('is-stale', isStale);
  document.querySelector('main').setAttribute('aria-busy', String(isStale));
}

// — Over time

const plots = new Map();
const colours = () =>
  matchMedia('(prefers-color-scheme: dark)').matches
    ? ['#7cbcf0', '#f2b544', '#63d27e', '#e79bd8']
    : ['#1d5c8f', '#b36b00', '#17702f', '#8b3a7d'];
/** Reads a computed color: a canvas cannot use the variables of the style sheet. */
const readStyle = (selector, property) => getComputedStyle(document.querySelector(selector)).getPropertyValue(property);
const formatTime = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);
/** Grid lines of byte axes are at powers of two. */
const powersOfTwo = Array.from({ length: 45 }, (_, power) => 2 ** power);

function toPlotOptions(plot, width, hour) {
  const [line, ink] = [readStyle('section', 'border-top-color'), readStyle('footer', 'color')];
  const palette = colours();
  const format = units[plot.unit];
  const axis = {
    stroke: ink,
    font: '11px system-ui, sans-serif',
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
  };
  return {
    // Like all times on the page.
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'UTC'),
    ...{ width, height: PLOT_HEIGHT, padding: [6, 8, 0, 0], legend: { show: false }, cursor: { show: false } },
    scales: {
      x: { min: hour.from, max: hour.to },
      y: { range: (_self, _low, high) => [0, plot.unit === 'percent' ? 100 : high > 0 ? high * 1.1 : 1] },
    },
    axes: [
      { ...axis, size: 20, gap: 2, space: 70, values: (_self, ticks) => ticks.map(formatTime) },
      {
        ...axis,
        ...(plot.unit === 'bytes' ? { incrs: powersOfTwo } : {}),
        size: 62,
        gap: 4,
        space: 34,
        values: (_self, ticks) => ticks.map(format),
      },
    ],
    series: [
      {},
      ...plot.lines.map(({ label }, index) => ({
        label,
        stroke: palette[index],
        width: 1.5,
        points: { show: false },
        spanGaps: false,
      })),
    ],
  };
}

/** Describes a plot in words, for its caption and for screen readers. */
function describePlot(plot) {
  return plot.lines.map(({ label, values }) => {
    const known = values.filter((value) => value !== null);
    const format = units[plot.unit];
    const [now, min, max] = [known.at(-1), Math.min(...known), Math.max(...known)];
    return {
      label,
      now: known.length ? format(now) : '–',
      all: known.length
        ? `${label}: last ${format(now)}, minimum ${format(min)}, maximum ${format(max)}`
        : `${label}: no data`,
    };
  });
}

/** Inserts a null between points that are more than three usual intervals apart: the line has a gap there. */
function insertGaps(plot) {
  const gaps = plot.times.slice(1).map((time, index) => time - plot.times[index]);
  const usual = [...gaps].sort((a, b) => a - b)[gaps.length >> 1] ?? 0;
  const times = [];
  const values = plot.lines.map(() => []);
  plot.times.forEach((time, index) => {
    if (index > 0 && gaps[index - 1] > 3 * usual) {
      times.push((time + plot.times[index - 1]) / 2);
      values.forEach((line) => line.push(null));
    }
    times.push(time);
    // A line without a value at another line's time continues: uPlot connects over undefined, not over null.
    values.forEach((line, which) => line.push(plot.lines[which].values[index] ?? undefined));
  });
  return [times, ...values];
}

/** Finds the next plot that is shown: a plot whose first samples come later is inserted before it. */
function findNextShown(plot, hour) {
  const later = hour.plots.slice(hour.plots.indexOf(plot) + 1).map(({ title }) => plots.get(title)?.figure);
  return later.find((figure) => figure?.isConnected) ?? null;
}

function draw(plot, hour) {
  let known = plots.get(plot.title);
  if (!known) {
    const figure = document.createElement('figure');
    const caption = document.createElement('figcaption');
    const canvas = document.createElement('div');
    canvas.setAttribute('role', 'img');
    figure.append(caption, canvas);
    known = { figure, caption, canvas };
    plots.set(plot.title, known);
  }
  const { caption, canvas, figure } = known;
  if (!figure.isConnected) byId('plots').insertBefore(figure, findNextShown(plot, hour));
  const words = describePlot(plot);
  const title = document.createElement('b');
  title.textContent = plot.title;
  const values = words.map(({ label, now }, index) => {
    const value = document.createElement('span');
    const mark = document.createElement('i');
    mark.style.background = colours()[index];
    value.append(mark, `${label} ${now}`);
    return value;
  });
  caption.replaceChildren(title, ...values);
  canvas.setAttribute('aria-label', `${plot.title} in the last hour. ${words.map(({ all }) => all).join('; ')}.`);
  known.uplot?.destroy();
  known.uplot = new uPlot(toPlotOptions(plot, canvas.clientWidth, hour), insertGaps(plot), canvas);
}

let lastHour;

function drawAll() {
  if (!lastHour) return;
  for (const [title, { figure }] of plots) if (!lastHour.plots.some((plot) => plot.title === title)) figure.remove();
  byId('plots')
    .querySelectorAll(':scope > p')
    .forEach((note) => note.remove());
  if (lastHour.plots.length === 0 || lastHour.isCutShort) {
    const note = document.createElement('p');
    note.className = 'quiet';
    note.textContent = lastHour.isCutShort
      ? 'Reading the hour took too long: the older part is missing.'
      : 'No samples to plot yet.';
    byId('plots').prepend(note);
  }
  for (const plot of lastHour.plots) draw(plot, lastHour);
}

async function refreshHistory() {
  lastHour = await (await get('/history.json')).json();
  // A device whose clock is behind still shows its newest samples.
  lastHour.from = Math.min(lastHour.from, lastHour.to - HOUR_S);
  drawAll();
}

// — Refresh while the page is visible

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
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
let resizing;
addEventListener('resize', () => {
  clearTimeout(resizing);
  resizing = setTimeout(drawAll, 150);
});
