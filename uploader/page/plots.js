/** Draws the plots as SVG, which takes its colors from the style sheet, and reads all of them at one time. */

import { formatValue, toTimeTicks, toValueTicks } from './plot-axes.js';

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 120;
const LEFT = 64;
const RIGHT = 8;
const TOP = 6;
const BOTTOM = 20;
const MIN_LABEL_WIDTH = 68;
/** A line with more points than these shows no range of each. */
const MAX_BANDS = 2;

const byId = (id) => document.getElementById(id);
const figures = new Map();
/** The history that is shown, and the time that is read, Unix seconds. */
let shown;
let readAt;

function create(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

function createHtml(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Computes the place of a time. */
const toX = (at, width, { from, to }) => LEFT + ((at - from) / (to - from)) * (width - LEFT - RIGHT);

/** Computes the functions from times and values to places. */
function toScales(plot, width, history) {
  const highest = Math.max(0, ...plot.lines.flatMap(({ max }) => max.filter((value) => value !== null)));
  const ticks = toValueTicks(highest, plot.unit);
  const top = ticks.at(-1).value;
  return {
    ticks,
    x: (at) => toX(at, width, history),
    y: (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP),
  };
}

/** Splits the points of a line where it has a gap: more than three buckets without one. */
function toRuns({ times, bucketSeconds }, { values, min, max }) {
  const runs = [];
  let last = -Infinity;
  times.forEach((at, index) => {
    if (values[index] === null) return;
    if (at - last > 3.5 * bucketSeconds) runs.push([]);
    runs.at(-1).push({ at, value: values[index], min: min[index], max: max[index] });
    last = at;
  });
  return runs;
}

const toPath = (points) =>
  points.map(([x, y], index) => `${index ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');

function drawLine(plot, line, index, { x, y }) {
  const kind = `line-${index % 8}`;
  const runs = toRuns(plot, line);
  const lines = runs.map((run) =>
    run.length === 1
      ? `M${(x(run[0].at) - 1).toFixed(1)} ${y(run[0].value).toFixed(1)}h2`
      : toPath(run.map(({ at, value }) => [x(at), y(value)])),
  );
  const path = create('path', { class: `line ${kind}`, d: lines.join('') });
  if (plot.lines.length > MAX_BANDS) return [path];
  const band = runs.map((run) => {
    const back = run.toReversed();
    return `${toPath([...run.map(({ at, max }) => [x(at), y(max)]), ...back.map(({ at, min }) => [x(at), y(min)])])}Z`;
  });
  return [create('path', { class: `band ${kind}`, d: band.join('') }), path];
}

function drawPlot(plot, width, history) {
  const scales = toScales(plot, width, history);
  const { x, y, ticks } = scales;
  const times = toTimeTicks(history.from, history.to, Math.max(2, Math.floor((width - LEFT) / MIN_LABEL_WIDTH)));
  const bottom = HEIGHT - BOTTOM;
  const grid = [
    ...ticks.map(({ value }) => `M${LEFT} ${y(value).toFixed(1)}H${width - RIGHT}`),
    ...times.map(({ at }) => `M${x(at).toFixed(1)} ${TOP}V${bottom}`),
  ];
  return create(
    'svg',
    { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, 'aria-hidden': 'true' },
    create('path', { class: 'grid', d: grid.join('') }),
    ...ticks.map(({ value, text }) => create('text', { x: LEFT - 6, y: y(value) + 4, 'text-anchor': 'end' }, text)),
    ...times.map(({ at, text }) => {
      const place = Math.min(Math.max(x(at), LEFT + 14), width - RIGHT - 12);
      return create('text', { x: place, y: HEIGHT - 4, 'text-anchor': 'middle' }, text);
    }),
    ...plot.lines.flatMap((line, index) => drawLine(plot, line, index, scales)),
    create('line', { class: 'crosshair', y1: TOP, y2: bottom, visibility: 'hidden' }),
  );
}

/** Describes a plot for those who do not see it. */
function describePlot({ title, unit, lines }) {
  const format = (value) => formatValue(value, unit);
  const words = lines.map(({ label, values, min, max }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `${label}: no data`;
    const lowest = Math.min(...min.filter((value) => value !== null));
    return `${label}: last ${format(known.at(-1))}, minimum ${format(lowest)}, maximum ${format(Math.max(...max))}`;
  });
  return `${title} over time. ${words.join('; ')}.`;
}

/** Finds the bucket at a time, or the last one with a value; -1 if there is none. */
function findBucket({ times, bucketSeconds }, values, at) {
  if (at === undefined) return values.findLastIndex((value) => value !== null);
  return times.findIndex((time, index) => Math.abs(time - at) <= bucketSeconds / 2 && values[index] !== null);
}

/** Writes the values at the time that is read, or the last ones. */
function writeValues({ plot, values }) {
  plot.lines.forEach((line, index) => {
    const bucket = findBucket(plot, line.values, readAt);
    const isRange = readAt !== undefined && bucket >= 0 && line.min[bucket] !== line.max[bucket];
    const range = isRange
      ? ` (${formatValue(line.min[bucket], plot.unit)} to ${formatValue(line.max[bucket], plot.unit)})`
      : '';
    const value = bucket < 0 ? '–' : formatValue(line.values[bucket], plot.unit);
    values[index].textContent = `${line.label} ${value}${range}`;
  });
}

function createCaption(plot, partsShown, onToggle) {
  const values = plot.lines.map(() => createHtml('span'));
  const items = values.map((value, index) =>
    createHtml('li', {}, createHtml('i', { className: `line-${index % 8}` }), value),
  );
  if (plot.linesLeftOut > 0)
    items.push(createHtml('li', { className: 'quiet', textContent: `${plot.linesLeftOut} more` }));
  const title = createHtml('b', { textContent: plot.title });
  const head = createHtml('div', { className: 'plot-head' }, title);
  if (plot.by !== undefined) {
    const button = createHtml('button', { type: 'button', textContent: `by ${plot.by}` });
    button.setAttribute('aria-pressed', String(partsShown.has(plot.id)));
    button.setAttribute('aria-label', `${plot.title} by ${plot.by}`);
    button.addEventListener('click', () => onToggle(plot.id));
    head.append(button);
  }
  return { caption: createHtml('figcaption', {}, head, createHtml('ul', {}, ...items)), values };
}

function draw(plot, history, { partsShown, onToggle }) {
  const known = figures.get(plot.id) ?? { figure: createHtml('figure'), canvas: createHtml('div') };
  known.canvas.setAttribute('role', 'img');
  known.canvas.setAttribute('aria-label', describePlot(plot));
  known.plot = plot;
  const hasFocus = known.figure.contains(document.activeElement);
  const { caption, values } = createCaption(plot, partsShown, onToggle);
  known.values = values;
  known.figure.replaceChildren(caption, known.canvas);
  byId('plots').append(known.figure);
  figures.set(plot.id, known);
  known.width = known.canvas.clientWidth;
  known.canvas.replaceChildren(drawPlot(plot, known.width, history));
  if (hasFocus) caption.querySelector('button')?.focus();
}

/** Draws all plots of a history. @param options `partsShown`, the ids of plots by part, and `onToggle`, which is given one */
export function drawAll(history, options) {
  shown = history;
  for (const [id, { figure }] of figures) if (!history.plots.some((plot) => plot.id === id)) figure.remove();
  byId('plots')
    .querySelectorAll(':scope > p')
    .forEach((note) => note.remove());
  if (history.plots.length === 0)
    byId('plots').append(createHtml('p', { className: 'quiet', textContent: 'No samples to plot yet.' }));
  for (const plot of history.plots) draw(plot, history, options);
  setReadTime(readAt);
}

function setReadTime(at) {
  readAt = at;
  const note = byId('plots-time');
  note.textContent = at === undefined ? '' : `${new Date(at * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  for (const known of figures.values()) {
    const line = known.canvas.querySelector('.crosshair');
    line.setAttribute('visibility', at === undefined ? 'hidden' : 'visible');
    if (at !== undefined) {
      const x = toX(at, known.width, shown);
      line.setAttribute('x1', x);
      line.setAttribute('x2', x);
    }
    writeValues(known);
  }
}

/** Lists the times that any plot has a point at. */
function listTimes() {
  return [...new Set(shown.plots.flatMap((plot) => plot.times))].sort((a, b) => a - b);
}

/** Moves the time that is read to the point nearest to a time. */
function readNear(at) {
  const times = listTimes();
  setReadTime(times.reduce((best, time) => (Math.abs(time - at) < Math.abs(best - at) ? time : best), times[0]));
}

function readAtPointer(event) {
  const canvas = event.target.closest('[role=img]');
  if (canvas === null || shown === undefined) return;
  const { left, width } = canvas.getBoundingClientRect();
  const share = (event.clientX - left - LEFT) / (width - LEFT - RIGHT);
  if (share < 0 || share > 1) return setReadTime(undefined);
  readNear(shown.from + share * (shown.to - shown.from));
}

function readByKey(event) {
  if (event.key === 'Escape') setReadTime(undefined);
  if (!['ArrowLeft', 'ArrowRight'].includes(event.key) || shown === undefined) return;
  event.preventDefault();
  const times = listTimes();
  const at = readAt ?? shown.to;
  const next = event.key === 'ArrowLeft' ? times.findLast((time) => time < at) : times.find((time) => time > at);
  if (next !== undefined) setReadTime(next);
}

/** Lets the pointer and the arrow keys move the time that is read. */
export function followTime() {
  const plots = byId('plots');
  plots.addEventListener('pointermove', readAtPointer);
  plots.addEventListener('pointerdown', readAtPointer);
  plots.addEventListener('pointerleave', () => setReadTime(undefined));
  plots.addEventListener('keydown', readByKey);
}
