/** The real VictoriaMetrics that a bench drains into, and what it says of what it has got. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { findProgram } from '../../../deploy/scripts/programs.ts';

export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A series of an exposition text, summed over its labels; 0 where there is none. */
export function valueIn(text, name) {
  const lines = text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'));
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}

export async function metricsOf(port) {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

/** Starts it; resolves when it answers. */
export async function startReceiver(folder, port) {
  const flags = ['-dedup.minScrapeInterval=1ms', '-search.latencyOffset=0s', '-search.maxUniqueTimeseries=1000000'];
  const server = spawn(
    await findProgram('victoria-metrics'),
    [`-storageDataPath=${join(folder, 'vm')}`, `-httpListenAddr=127.0.0.1:${port}`, ...flags],
    { stdio: 'ignore' },
  );
  while (
    !(await fetch(`http://127.0.0.1:${port}/health`).then(
      (answer) => answer.ok,
      () => false,
    ))
  )
    await sleep(5);
  return {
    inserted: async () => valueIn(await metricsOf(port), 'vm_rows_inserted_total'),
    /** How many samples of a selector a query finds. */
    async visible(selector) {
      await fetch(`http://127.0.0.1:${port}/internal/force_flush`);
      const query = encodeURIComponent(`sum(count_over_time(${selector}[1d]))`);
      const answer = await (await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${query}&nocache=1`)).json();
      return Number(answer.data?.result?.[0]?.value?.[1] ?? 0);
    },
    stop: () => server.kill('SIGKILL'),
  };
}
