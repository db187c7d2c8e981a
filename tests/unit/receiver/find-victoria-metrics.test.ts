import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findVictoriaMetrics, victoriaMetricsAtHand } from '../../support/find-victoria-metrics.mjs';

/** Not the folder for temporary files: on one that is mounted noexec no file counts as executable. */
const varDir = fileURLToPath(new URL('../../../var', import.meta.url));
let dir: string;

beforeEach(async () => {
  await mkdir(varDir, { recursive: true });
  dir = await mkdtemp(join(varDir, 'find-victoria-metrics-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

async function program(path: string, mode = 0o755): Promise<string> {
  const whole = join(dir, path);
  await mkdir(dirname(whole), { recursive: true });
  await writeFile(whole, '#!/bin/sh\n', { mode });
  return whole;
}

function atHand(env: Record<string, string> = {}): Promise<string | undefined> {
  return victoriaMetricsAtHand({ env, toolsDir: join(dir, 'tools') });
}

test('the one that is named comes before those on the PATH, and those before the one unpacked earlier', async () => {
  expect(await atHand()).toBeUndefined();
  const unpacked = await program('tools/victoria-metrics/usr/bin/victoria-metrics');
  expect(await atHand({ PATH: join(dir, 'bin') })).toBe(unpacked);
  const released = await program('bin/victoria-metrics-prod');
  expect(await atHand({ PATH: join(dir, 'bin') })).toBe(released);
  const named = await program('other/vm');
  expect(await atHand({ PATH: join(dir, 'bin'), VICTORIA_METRICS_BIN: named })).toBe(named);
});

test('what cannot be run is passed over on the PATH', async () => {
  await program('bin/victoria-metrics', 0o644);
  await mkdir(join(dir, 'bin2', 'victoria-metrics'), { recursive: true });
  expect(await atHand({ PATH: `${join(dir, 'bin')}:${join(dir, 'bin2')}` })).toBeUndefined();
});

test('a named one that cannot be run is an error, whatever else there is', async () => {
  const onPath = await program('bin/victoria-metrics');
  const env = { PATH: dirname(onPath), VICTORIA_METRICS_BIN: join(dir, 'missing') };
  await expect(atHand(env)).rejects.toThrow(/VICTORIA_METRICS_BIN names .*missing/);
});

test('where none can be unpacked, the error has the command that gets one', async () => {
  // A folder that cannot be made, below a file.
  const file = await program('file');
  await expect(findVictoriaMetrics({ env: {}, toolsDir: join(file, 'tools') })).rejects.toThrow(
    /Get it with: .*victoria-?metrics/,
  );
});
