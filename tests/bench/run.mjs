/**
 * Runs one of the benches: npm run bench -- NAME [its options]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const here = import.meta.dirname;
const names = readdirSync(here).filter((file) => file.endsWith('.mjs') && file !== 'run.mjs').map((file) => file.slice(0, -'.mjs'.length));
const [name = '', ...args] = process.argv.slice(2);

if (!names.includes(name) || !existsSync(join(here, `${name}.mjs`))) {
  console.error(`usage: npm run bench -- NAME [options]\nbenches: ${names.join(', ')}`);
  process.exit(name === '--help' || name === '-h' ? 0 : 2);
}
const { status } = spawnSync(process.execPath, [join(here, `${name}.mjs`), ...args], { stdio: 'inherit' });
process.exit(status ?? 1);
