/**
 * npm run bench -- NAME [its options] runs one of the benches; npm run bench [-- --json] those whose figures are to
 * reach something, one after the other, and prints them as one Markdown table.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const here = import.meta.dirname;
const names = readdirSync(here)
  .filter((file) => file.endsWith('.mjs') && file !== 'run.mjs')
  .map((file) => file.slice(0, -'.mjs'.length));
/** Collecting, storing, encoding, draining, quiet times, and a poll at any depth. */
const ALL = ['collect', 'flash', 'encode', 'drain', 'steady', 'poll'];

const [name = '', ...args] = process.argv.slice(2);

if (name === '' || name === '--json') runAll(name === '--json');
else if (names.includes(name))
  process.exit(spawnSync(process.execPath, [join(here, `${name}.mjs`), ...args], { stdio: 'inherit' }).status ?? 1);
else {
  console.error(
    `usage: npm run bench [-- --json]\n       npm run bench -- NAME [options]\nbenches: ${names.join(', ')}`,
  );
  process.exit(name === '--help' || name === '-h' ? 0 : 2);
}

/** Each in a process of its own, so that none finds the memory that another has left. */
function runAll(asJson) {
  const results = ALL.map((bench) => {
    console.error(`${bench} …`);
    const { status, stdout } = spawnSync(process.execPath, [join(here, `${bench}.mjs`), '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
    });
    if (status !== 0) process.exit(status ?? 1);
    return { bench, ...JSON.parse(stdout.trim().split('\n').at(-1)) };
  });
  if (asJson) console.log(JSON.stringify(results));
  else for (const result of results) printTable(result);
}

function printTable({ bench, title, figures }) {
  const between = ({ from, to }) => (from === undefined || from === null ? '' : `${rounded(from)} to ${rounded(to)}`);
  console.log(`\n${bench}: ${title}; ${cpus().length} × ${cpus()[0].model.trim()}, Node ${process.versions.node}\n`);
  console.log('| figure | value | spread | to reach |\n|---|---|---|---|');
  for (const figure of figures)
    console.log(
      `| ${figure.name} | ${rounded(figure.value)} ${figure.unit} | ${between(figure)} | ${figure.reach ?? ''} |`,
    );
}

function rounded(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
