/**
 * Keeps the status page current: fetches it again, puts in what changed, and draws the last hour. The page itself comes
 * whole from the server, so that what this script does is only to keep it new.
 */

const REFRESH_MS = 5_000;
const HISTORY_MS = 15_000;
const PATIENCE_MS = 8_000;
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
let answeredAt = Date.now();

async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS), cache: 'no-store' });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response;
}

/** Only what differs is put in: what a person marks, or a screen reader reads, stays as it is. */
async function refresh() {
  const fresh = new DOMParser().parseFromString(await (await ask('/')).text(), 'text/html');
  for (const part of document.querySelectorAll('[data-live]')) {
    const newer = fresh.getElementById(part.id);
    if (!newer) continue;
    if (part.className !== newer.className) part.className = newer.className;
    if (part.innerHTML !== newer.innerHTML) part.replaceChildren(...newer.childNodes);
  }
  document.title = fresh.title;
  answeredAt = Date.now();
  showStale(false);
}

function showStale(isStale) {
  const note = byId('stale');
  const since = new Date(answeredAt).toLocaleTimeString();
  if (isStale)
    note.textContent = `The uploader has not answered since ${since} (this device’s time). What you see is old.`;
  note.hidden = !isStale;
  document.querySelector('main').setAttribute('aria-busy', String(isStale));
}

// — The last hour

const plots = new Map();
const colours = () =>
  matchMedia('(prefers-color-scheme: dark)').matches
    ? ['#7cbcf0', '#f2b544', '#63d27e', '#e79bd8']
    : ['#1d5c8f', '#b36b00', '#17702f', '#8b3a7d'];
/** A canvas takes colours as they come out, not by the names of the style sheet. */
const styleOf = (selector, property) => getComputedStyle(document.querySelector(selector)).getPropertyValue(property);
const clockOf = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);
/** Bytes are read by powers of two, so that is where the lines belong. */
const powersOfTwo = Array.from({ length: 45 }, (_, power) => 2 ** power);

function optionsOf(plot, width, hour) {
  const [line, ink] = [styleOf('section', 'border-top-color'), styleOf('footer', 'color')];
  const palette = colours();
  const format = units[plot.unit];
  const axis = {
    stroke: ink,
    font: '11px system-ui, sans-serif',
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
  };
  return {
    // As all times of the page.
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'UTC'),
    ...{ width, height: PLOT_HEIGHT, padding: [6, 8, 0, 0], legend: { show: false }, cursor: { show: false } },
    scales: {
      x: { min: hour.from, max: hour.to },
      y: { range: (_self, _low, high) => [0, plot.unit === 'percent' ? 100 : high > 0 ? high * 1.1 : 1] },
    },
    axes: [
      { ...axis, size: 20, gap: 2, space: 70, values: (_self, ticks) => ticks.map(clockOf) },
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

/** What a plot shows, in words: beside its title, and for those who do not see it. */
function wordsOf(plot) {
  return plot.lines.map(({ label, values }) => {
    const known = values.filter((value) => value !== null);
    const format = units[plot.unit];
    const [now, least, most] = [known.at(-1), Math.min(...known), Math.max(...known)];
    return {
      label,
      now: known.length ? format(now) : '–',
      all: known.length
        ? `${label}: ${format(now)} at last, between ${format(least)} and ${format(most)}`
        : `${label}: nothing`,
    };
  });
}

/** A hole in the readings is a hole in the line: the times between, of which there is nothing, are put in. */
function withHoles(plot) {
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
    // One line may lack what another has: uPlot joins over undefined, and not over null.
    values.forEach((line, which) => line.push(plot.lines[which].values[index] ?? undefined));
  });
  return [times, ...values];
}

/** The next plot that is shown already: one that has its first samples later than others still stands in its place. */
function shownAfter(plot, hour) {
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
  if (!figure.isConnected) byId('plots').insertBefore(figure, shownAfter(plot, hour));
  const words = wordsOf(plot);
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
  known.uplot = new uPlot(optionsOf(plot, canvas.clientWidth, hour), withHoles(plot), canvas);
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
      ? 'There is more than can be read at once: the older part is missing.'
      : 'Nothing to plot yet.';
    byId('plots').prepend(note);
  }
  for (const plot of lastHour.plots) draw(plot, lastHour);
}

async function refreshHistory() {
  lastHour = await (await ask('/history.json')).json();
  // A board whose clock is behind still shows its newest readings.
  lastHour.from = Math.min(lastHour.from, lastHour.to - HOUR_S);
  drawAll();
}

// — While somebody looks

/** Runs now and again while the page is to be seen, and never twice at once. */
function repeat(task, intervalMs, onFailure) {
  const turn = async () => {
    if (!document.hidden) await task().catch(onFailure);
    setTimeout(turn, intervalMs);
  };
  void turn();
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
