/** A drain by collector and uploader, as their units start them. */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { quantile } from '../../support/figures.ts';
import { cpuSeconds, pssMB } from '../../support/processes.ts';
import { Pair } from './pair.mjs';
import { freePort, startReceiver } from './receiver.mjs';

/** Often, so that enough scrapes fall into the seconds of a drain. */
const SCRAPE_INTERVAL_MS = 500;
/** How much earlier than usual a scrape may end, and not be taken for one that ended an interval late. */
const EARLIER_MS = 20;
/** How long the collector runs beside a receiver that is away, to tell when its scrapes end undisturbed. */
const QUIET_MS = 5_000;
const LOGGED = { LOG_LEVEL: 'debug', LOG_FORMAT: 'json' };

/** Each line that a program logs with one of its messages. */
function onLogged(stdout, msg, take) {
  createInterface({ input: stdout }).on('line', (line) => {
    if (line.includes(`"msg":"${msg}"`)) take(JSON.parse(line));
  });
}

/** When each scrape of each collector ended, from its log. */
function watchScrapes(stdout) {
  const ends = new Map();
  onLogged(stdout, 'scrape', ({ collector, time }) =>
    ends.set(collector, [...(ends.get(collector) ?? []), Date.parse(time)]),
  );
  return ends;
}

/** What was delivered and when, from the uploader's log: to ask it for that would take from its time. */
function watchChunks(stdout) {
  const sent = { samples: 0, bytes: 0, firstAtMs: undefined, lastAtMs: undefined };
  onLogged(stdout, 'chunk sent', ({ outcome, count, bytes_sent: bytes, time }) => {
    if (outcome !== 'delivered') return;
    sent.firstAtMs ??= Date.parse(time);
    sent.lastAtMs = Date.parse(time);
    sent.samples += count;
    sent.bytes += bytes;
  });
  return sent;
}

/** How much later than undisturbed the scrapes of some time ended, in ms. */
function delaysOf(ends, fromMs, toMs) {
  const behind = (at, origin) =>
    ((((at - origin + EARLIER_MS) % SCRAPE_INTERVAL_MS) + SCRAPE_INTERVAL_MS) % SCRAPE_INTERVAL_MS) - EARLIER_MS;
  return [...ends.values()].flatMap((times) => {
    const usual =
      times[0] +
      quantile(
        times.filter((at) => at < fromMs).map((at) => behind(at, times[0])),
        0.5,
      );
    return times.filter((at) => at >= fromMs && at <= toMs).map((at) => Math.max(0, behind(at, usual)));
  });
}

/**
 * Fills a database, lets both processes find the receiver away, starts it and waits until every sample is to be seen.
 *
 * @param {{ samples: number, series: number, probe: string | undefined, fillDatabase: Function, onStart?: (name: string, pid: number) => void }} plan
 */
export async function drainOurs({ samples, series, probe, fillDatabase, onStart = () => undefined }) {
  const pair = new Pair();
  const stored = fillDatabase(pair.database, { samples, series });
  const [port, healthPort] = [await freePort(), await freePort()];
  const collector = pair.start('collector', { INTERVAL: `${SCRAPE_INTERVAL_MS}ms`, ...LOGGED }, 'pipe');
  onStart('collector', collector.pid);
  const ends = watchScrapes(collector.stdout);
  const uploader = pair.start(
    'uploader',
    {
      ...{ REMOTE_URL: `http://127.0.0.1:${port}/api/v1/import`, HEALTH_PORT: String(healthPort), RETRY_ATTEMPTS: '1' },
      ...(probe === undefined ? {} : { PROBE_INTERVAL: probe }),
      ...LOGGED,
    },
    'pipe',
  );
  const sent = watchChunks(uploader.stdout);
  onStart('uploader', uploader.pid);
  const isAway = async () =>
    (await (await fetch(`http://127.0.0.1:${healthPort}/health`)).json()).components.uploader.details.receiver ===
    'away';
  while (!(await isAway().catch(() => false))) await sleep(100);
  await sleep(QUIET_MS);
  const before = [collector, uploader].map(({ pid }) => cpuSeconds(pid));
  const receiver = await startReceiver(pair.folder, port);
  const seen = await watchDrain({
    receiver,
    stored,
    selector: '{device_id="bench"}',
    sent,
    pids: [collector.pid, uploader.pid],
  });
  const cpu = [collector, uploader].map(({ pid }, index) => cpuSeconds(pid) - before[index]);
  receiver.stop();
  await pair.stop();
  return { ...seen, cpuSeconds: cpu[0] + cpu[1], scrapeDelaysMs: delaysOf(ends, seen.firstAtMs, seen.sentAtMs) };
}

async function watchDrain({ receiver, stored, selector, sent, pids }) {
  const upAt = performance.now();
  let peakPssMB = 0;
  for (; ; await sleep(50)) {
    peakPssMB = Math.max(
      peakPssMB,
      pids.reduce((sum, pid) => sum + pssMB(pid), 0),
    );
    if (sent.samples < stored) continue;
    const { firstAtMs, lastAtMs: sentAtMs, bytes, samples } = sent;
    if ((await receiver.visible(selector)) < stored) continue;
    const visibleSeconds = (performance.now() - upAt) / 1000;
    return {
      peakPssMB,
      stored,
      firstAtMs,
      sentAtMs,
      visibleSeconds,
      bytesPerSample: bytes / samples,
      samplesPerSecond: (stored / (sentAtMs - firstAtMs)) * 1000,
    };
  }
}
