/**
 * The same drain by vmagent and by Prometheus in agent mode: both scrape an exporter of ours once a second while their
 * receivers are away; then it is switched off, and the receivers return one after the other.
 */
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { cpuSeconds, pssMB } from '../../support/processes.ts';
import { findPeers, startPeer } from './peers.mjs';
import { freePort, startReceiver } from './receiver.mjs';

/** vmagent notices after 40 s that its receiver is back. */
const GIVES_UP_AFTER_MS = 120_000;

/** An exporter of so many series, half counters, half gauges with a fraction, as the filled database has them. */
async function startExporter(series) {
  /** How many answers each path has had whole. */
  const served = new Map();
  const server = createServer(({ url }, response) => {
    const scrapes = (served.get(url) ?? 0) + 1;
    response.once('finish', () => served.set(url, scrapes));
    const lines = Array.from({ length: series }, (_, index) => {
      const value =
        index % 2 === 0
          ? scrapes * 1500 + ((index * 7919 + scrapes * 104729) % 997)
          : ((index * 31 + scrapes * 17) % 1000) / 10;
      return `bench_rx_bytes_total{interface="eth${index % 50}",place="${index}"} ${value}`;
    });
    // Prometheus 3 refuses a page without it.
    response.setHeader('Content-Type', 'text/plain; version=0.0.4');
    response.end(`# TYPE bench_rx_bytes_total untyped\n${lines.join('\n')}\n`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, served, close: () => (server.closeAllConnections(), server.close()) };
}

const pathOf = (name) => `/${name}`;

async function drainPeer({ folder, receiverPort, child, wireBytes, stop }, samples) {
  const cpuBefore = cpuSeconds(child.pid);
  const sentBefore = await wireBytes();
  const receiver = await startReceiver(folder, receiverPort);
  const upAt = performance.now();
  const after = () => (performance.now() - upAt) / 1000;
  const seen = { peakPssMB: 0 };
  for (; seen.visibleSeconds === undefined && after() * 1000 < GIVES_UP_AFTER_MS; await sleep(50)) {
    seen.peakPssMB = Math.max(seen.peakPssMB, pssMB(child.pid));
    const inserted = await receiver.inserted();
    if (inserted > 0) seen.firstSeconds ??= after();
    if (inserted < samples) continue;
    seen.sentSeconds ??= after();
    if ((await receiver.visible('bench_rx_bytes_total')) >= samples) seen.visibleSeconds = after();
  }
  const bytes = (await wireBytes()) - sentBefore;
  const cpu = cpuSeconds(child.pid) - cpuBefore;
  receiver.stop();
  await stop();
  return {
    ...seen,
    stored: samples,
    cpuSeconds: cpu,
    bytesPerSample: bytes / samples,
    samplesPerSecond: samples / (seen.sentSeconds - seen.firstSeconds),
  };
}

/** What each installed peer did with about so many samples; their number is what its own scrapes came to. */
export async function drainPeers({ samples, series }) {
  const found = await findPeers();
  if (found.length === 0) return {};
  const exporter = await startExporter(series);
  const peers = [];
  for (const peer of found) {
    const { name, title } = peer;
    peers.push({
      name,
      title,
      ...(await startPeer(peer, { receiverPort: await freePort(), exporterPort: exporter.port, path: pathOf(name) })),
    });
  }
  console.error(
    `${found.map(({ title }) => title).join(' and ')} gather ${samples} samples, which takes ${Math.ceil(samples / series)} s`,
  );
  await sleep((samples / series + 1) * 1000);
  exporter.close();
  // A scrape that was under way ends.
  await sleep(2_000);
  const results = {};
  for (const peer of peers) {
    results[peer.title] = await drainPeer(peer, exporter.served.get(pathOf(peer.name)) * series);
  }
  return results;
}
