/**
 * A thousand simulated boards after an outage of an hour: requests in each second, as docs/fleet-return.svg.
 *
 *   npm run bench -- fleet [--boards 1000]
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { prepare, root } from '../../deploy/scripts/prepare.mjs';

const { values: options } = parseArgs({
  options: { boards: { type: 'string', default: '1000' } },
  args: process.argv.slice(2),
});

await prepare();
const { simulateFleet } = await import('../support/fleet.ts');

const WIDTH = 720;
const HEIGHT = 260;
const MARGIN = { left: 56, right: 16, top: 34, bottom: 40 };

/** Bars, a line at the mean, and one at the three times of it that no second may pass. */
function plot({ perSecond, mean, peak }) {
  const top = 3.3 * mean;
  const x = (second) => MARGIN.left + (second / perSecond.length) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (requests) => HEIGHT - MARGIN.bottom - (requests / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const barWidth = x(1) - x(0) - 2;
  const bars = perSecond.map(
    (requests, second) =>
      `<rect x="${(x(second) + 1).toFixed(1)}" y="${y(requests).toFixed(1)}" width="${barWidth.toFixed(1)}" height="${(y(0) - y(requests)).toFixed(1)}" fill="#3b6ea5"/>`,
  );
  const line = (requests, text, colour) =>
    `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(requests).toFixed(1)}" y2="${y(requests).toFixed(1)}" stroke="${colour}" stroke-dasharray="5 4"/>` +
    `<text x="${WIDTH - MARGIN.right}" y="${(y(requests) - 4).toFixed(1)}" text-anchor="end" fill="${colour}">${text}</text>`;
  const ticks = [0, 10, 20, 30, 40, 50, 60].map(
    (second) =>
      `<text x="${x(second).toFixed(1)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${second}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${MARGIN.left}" y="18" font-size="13">Requests a second of ${options.boards} boards after an hour’s outage: mean ${mean.toFixed(0)}, peak ${peak}</text>`,
    ...bars,
    line(mean, 'mean', '#a5563b'),
    line(3 * mean, 'three times the mean', '#999'),
    ...ticks,
    `<text x="${(WIDTH + MARGIN.left) / 2}" y="${HEIGHT - 8}" text-anchor="middle">seconds since the receiver is back</text>`,
    `<text x="${MARGIN.left - 6}" y="${y(peak).toFixed(1)}" text-anchor="end">${peak}</text>`,
    '</svg>',
    '',
  ].join('\n');
}

const load = await simulateFleet({ boards: Number(options.boards) });
const file = join(root, 'docs', 'fleet-return.svg');
writeFileSync(file, plot(load));
console.log(
  `${options.boards} boards: mean ${load.mean.toFixed(1)} and peak ${load.peak} requests a second in the first minute; ${file}`,
);
