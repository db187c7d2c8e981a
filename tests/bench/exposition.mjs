/**
 * How fast exposition text is read: npm run bench -- exposition [--series N] [--rounds N] [--library NAME …] [--json]
 *
 * A text of counters with three labels each, read whole, again and again; beside it the least that any reader does,
 * finding the lines and reading the last word of each as a number, and packages from npm that are installed somewhere
 * NODE_PATH names or in this project. Busy neighbours show in the spread; processor time is what compares. Then the whole way of a scrape: text → samples → readings → cap → admission.
 */
import { createRequire } from 'node:module';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';

const { values: options } = parseArgs({
  options: {
    series: { type: 'string', default: '5000' },
    rounds: { type: 'string', default: '60' },
    library: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (options.help) {
  console.log('npm run bench -- exposition [--series N] [--rounds N] [--library NAME …] [--json]');
  process.exit(0);
}

await prepare();
const { ExpositionReader } = await import('../../collector/src/inputs/exposition/reader.ts');
const { ExpositionConverter } = await import('../../collector/src/inputs/exposition-converter.ts');
const { SeriesLimit } = await import('../../collector/src/scheduling/series-limit.ts');
const { Admission } = await import('../../collector/src/store/writing/admission.ts');

const series = Number(options.series);
const rounds = Number(options.rounds);
const FAMILY = 100;

/** Some values whole, some not, as exporters have them. */
function createText(round) {
  const lines = [];
  for (let index = 0; index < series; index++) {
    const family = `app_stage_${Math.floor(index / FAMILY)}_seconds_total`;
    if (index % FAMILY === 0) lines.push(`# HELP ${family} Time that the stage has taken.`, `# TYPE ${family} counter`);
    const value = index % 3 === 0 ? index * 12_345 + round : (index * 1_234.567 + round) / 7;
    lines.push(`${family}{stage="${index % FAMILY}",mode="busy",device="/dev/video${index % 16}"} ${value}`);
  }
  return `${lines.join('\n')}\n`;
}

const texts = Array.from({ length: 4 }, (_, round) => createText(round));

function readText(text) {
  let samples = 0;
  const reader = new ExpositionReader({ format: 'prometheus' }, () => (samples += 1));
  reader.begin(text);
  while (reader.read(1e9));
  return samples;
}

/** What cannot be left out. */
function leastOf(text) {
  let samples = 0;
  let sum = 0;
  for (let start = 0, end = text.indexOf('\n'); end !== -1; start = end + 1, end = text.indexOf('\n', start)) {
    if (text[start] === '#') continue;
    sum += Number(text.slice(text.lastIndexOf(' ', end) + 1, end));
    samples += 1;
  }
  return Number.isNaN(sum) ? 0 : samples;
}

const converter = new ExpositionConverter({
  now: () => Date.now(),
  labels: { job: 'bench' },
  limitVariable: 'SCRAPE_MAX_SERIES',
});
const limit = new SeriesLimit({ perCollector: series, total: series });
const admission = new Admission({ deviceId: 'bench', labels: {}, remoteProtocol: 'victoriametrics' });
async function wholeWay(text, round) {
  const { readings } = await converter.convert([Buffer.from(text)], { format: 'prometheus' }, series);
  return admission.admit(limit.admit('scrape:bench', readings, round * 1_000).readings, Date.now()).samples.length;
}

/** A package's only function, called with the text. */
function createReader(name) {
  try {
    const loaded = createRequire(import.meta.url)(name);
    return loaded.default ?? loaded;
  } catch (error) {
    console.error(`no package ${name}: install it in a folder F and set NODE_PATH=F/node_modules (${error.code})`);
    return process.exit(2);
  }
}

async function measure(read, times) {
  const perSecond = [];
  const cpu = [];
  for (let round = 0; round < times + 5; round++) {
    const text = texts[round % texts.length];
    const startedAt = performance.now();
    const before = process.cpuUsage();
    await read(text, round);
    const { user, system } = process.cpuUsage(before);
    if (round < 5) continue;
    perSecond.push((series / (performance.now() - startedAt)) * 1_000);
    cpu.push((series / (user + system)) * 1e6);
  }
  for (const values of [perSecond, cpu]) values.sort((one, other) => one - other);
  const at = (share) => perSecond[Math.floor(share * (times - 1))];
  return { p5: at(0.05), median: at(0.5), p95: at(0.95), perCpuSecond: cpu[Math.floor(times / 2)] };
}

const results = {
  'lines and numbers alone': await measure(leastOf, rounds),
  'text → samples': await measure(readText, rounds),
  'text → samples → readings → cap → admission': await measure(wholeWay, rounds),
};
for (const name of options.library)
  results[name] = await measure(createReader(name), Math.max(3, Math.ceil(rounds / 10)));

if (options.json) console.log(JSON.stringify({ options, bytes: texts[0].length, results }));
else {
  console.log(`${series} series, ${texts[0].length} bytes, ${rounds} rounds:\n`);
  console.log(
    '| | samples/s, median | 5 % | 95 % | per CPU second, median | of text → samples |\n|---|---|---|---|---|---|',
  );
  const own = results['text → samples'].perCpuSecond;
  for (const [name, { p5, median, p95, perCpuSecond }] of Object.entries(results)) {
    console.log(
      `| ${name} | ${[median, p5, p95, perCpuSecond].map(Math.round).join(' | ')} | ${(perCpuSecond / own).toFixed(3)} |`,
    );
  }
}
