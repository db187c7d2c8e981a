import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { findProgram } from '../../deploy/scripts/programs.ts';
import { until } from '../support/until.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'start-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** npm start without npm, as the tests have installed and built already. */
function npmStart(environment: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, ['deploy/scripts/start.mjs', '--data', folder], {
    cwd: root,
    env: { ...process.env, THUGSHELLS_INTERVAL: '1s', THUGSHELLS_UPLOAD_INTERVAL: '1s', ...environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, ended, output: () => output };
}

async function isGone(url: string): Promise<boolean> {
  return fetch(url).then(
    () => false,
    () => true,
  );
}

test.each(['a real VictoriaMetrics', 'the bundled receiver'])(
  'npm start gets this machine’s samples into %s, tells of it, and Ctrl-C ends everything',
  async (receiver) => {
    const isReal = receiver === 'a real VictoriaMetrics';
    const victoriaMetrics = await findProgram('victoria-metrics');
    const environment = isReal
      ? { VICTORIA_METRICS_BIN: victoriaMetrics, THUGSHELLS_HEALTH_PORT: '0' }
      : { VICTORIA_METRICS_BIN: '', PATH: '', PEERS: 'debian' };
    const { child, ended, output } = npmStart(environment);
    const address = (what: RegExp): Promise<string> => until(`it prints ${what}`, () => what.exec(output())?.[1]);
    try {
      const query = await address(/curl '(.*)'/);
      const statusPage = await address(/status page\s+(\S+)/);
      const values = await until('the query finds a sample', async () => {
        const answer = (await (await fetch(query)).json()) as { data: { result: { value: [number, string] }[] } };
        return answer.data.result.length > 0 && answer.data.result.map(({ value }) => Number(value[1]));
      });
      expect(values.every((value) => value >= 0 && value <= 100)).toBe(true);
      expect(await (await fetch(statusPage)).text()).toContain('<h1>');
      await until('a line of progress', () => /\d+ collected +\d+ delivered +\d+ pending/.test(output()));
      expect(output()).not.toContain('undefined');
      child.kill('SIGINT');
      expect(await ended).toBe(0);
      expect(await isGone(query)).toBe(true);
      expect(await isGone(statusPage)).toBe(true);
    } finally {
      child.kill('SIGKILL');
    }
  },
);

test('npm start ends everything once nobody reads its output', async () => {
  const { child, ended, output } = npmStart({ VICTORIA_METRICS_BIN: '', PATH: '', PEERS: 'debian' });
  try {
    const statusPage = await until('it prints the page', () => /status page\s+(\S+)/.exec(output())?.[1]);
    await until('the page is there', async () => !(await isGone(statusPage)));
    child.stdout.destroy();
    expect(await ended).toBe(0);
    expect(await isGone(statusPage)).toBe(true);
  } finally {
    child.kill('SIGKILL');
  }
});
