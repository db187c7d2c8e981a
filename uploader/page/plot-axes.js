/** The pure part of the plots: units, and the ticks of both axes. */

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;
/** Distances between ticks of the time axis. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30]
  .map((minutes) => minutes * MINUTE_S)
  .concat([1, 2, 3, 6, 12, 24].map((hours) => hours * HOUR_S));

/** By unit: its names, each so many times larger than the one before, and the smallest distance between two ticks. */
const UNITS = {
  percent: { names: ['%'], base: 1, minStep: 1 },
  count: { names: [''], base: 1, minStep: 1 },
  celsius: { names: ['°C'], base: 1, minStep: 1 },
  none: { names: [''], base: 1, minStep: 0.01 },
  memory_bytes: { names: ['B', 'KiB', 'MiB', 'GiB', 'TiB'], base: 1024, minStep: 1 },
  // As disks are sold, and as the table of file systems has it.
  disk_bytes: { names: ['B', 'kB', 'MB', 'GB', 'TB'], base: 1000, minStep: 1 },
  bytes_per_second: { names: ['B/s', 'kB/s', 'MB/s', 'GB/s'], base: 1000, minStep: 1 },
};

/** Finds the name of the unit in which a value has one to four digits, and its size. */
function findScale(value, { names, base }) {
  const step = value < base || base === 1 ? 0 : Math.floor(Math.log(value) / Math.log(base) + 1e-9);
  const index = Math.min(names.length - 1, step);
  return { name: names[index], size: base ** index };
}

const join = (number, name) => (name === '' ? number : `${number} ${name}`);

/** Formats a value for people: 1536 bytes → `1.5 KiB` */
export function formatValue(value, unit) {
  const { name, size } = findScale(Math.abs(value), UNITS[unit]);
  const scaled = value / size;
  const digits = unit === 'none' ? 2 : unit === 'count' || (size === 1 && unit !== 'percent') || scaled >= 9.95 ? 0 : 1;
  return join(scaled.toLocaleString('en-US', { maximumFractionDigits: digits }), name);
}

/** Rounds up to 1, 2 or 5 times a power of ten. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5].find((times) => times * power >= value * (1 - 1e-9)) ?? 10);
}

/** Computes the ticks of a value axis that begins at 0: each has a text of its own. */
export function toValueTicks(high, unit) {
  if (unit === 'percent') return [0, 50, 100].map((value) => ({ value, text: `${value} %` }));
  const known = UNITS[unit];
  const { name, size } = findScale(high, known);
  const step = Math.max(known.minStep, roundUp(Math.max(high, known.minStep) / size / 3) * size);
  const digits = Math.max(0, Math.ceil(-Math.log10(step / size) - 1e-9));
  const ticks = [];
  for (let count = 0; count === 0 || ticks.at(-1).value < high || ticks.length < 2; count += 1) {
    const value = count * step;
    ticks.push({ value, text: join((value / size).toLocaleString('en-US', { maximumFractionDigits: digits }), name) });
  }
  return ticks;
}

/** Computes the ticks of the time axis, in UTC; a day begins with its date. */
export function toTimeTicks(from, to, max) {
  const step = TIME_STEPS.find((each) => (to - from) / each <= max) ?? DAY_S;
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const text = new Date(at * 1000).toISOString();
    ticks.push({ at, text: at % DAY_S === 0 ? text.slice(5, 10) : text.slice(11, 16) });
  }
  return ticks;
}
