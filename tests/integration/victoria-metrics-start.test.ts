/** That a test's VictoriaMetrics is its own, and that one which cannot start says why. */
import { expect, test } from '@jest/globals';
import { tmpdir } from 'node:os';
import { startVictoriaMetrics } from '../support/victoria-metrics.ts';
import { VictoriaMetricsProcess } from '../support/victoria-metrics-process.ts';

test('two never share a port, though VictoriaMetrics would let them', async () => {
  const first = await startVictoriaMetrics();
  try {
    await expect(startVictoriaMetrics({ port: first.port })).rejects.toThrow(`${first.url} is another server's`);
  } finally {
    await first.stop();
  }
}, 60_000);

test('what it logged is in the error', async () => {
  await expect(startVictoriaMetrics({ flags: ['-retentionPeriod=soon'] })).rejects.toThrow(/invalid value "soon"/);
}, 60_000);

test('a program that is not there is an error, and nothing is left of it', async () => {
  const nowhere = { binary: '/nonexistent/victoria-metrics', dir: tmpdir(), port: 1, flags: [] };
  await expect(VictoriaMetricsProcess.start(nowhere)).rejects.toThrow(/ENOENT/);
});

test('it keeps its port, its data and its address over a kill and a restart', async () => {
  const server = await startVictoriaMetrics();
  try {
    const { port, pid } = server;
    const sample = { metric: { __name__: 'kept' }, values: [1], timestamps: [Date.now()] };
    await fetch(`${server.url}/api/v1/import`, { method: 'POST', body: JSON.stringify(sample) });
    await server.restart();
    expect([server.port, server.pid === pid]).toEqual([port, false]);
    await server.kill();
    await expect(fetch(server.url)).rejects.toThrow();
    await server.restart();
    expect(await server.export('kept')).toEqual([sample]);
  } finally {
    await server.stop();
  }
}, 60_000);
